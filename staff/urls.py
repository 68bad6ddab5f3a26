"""URLs below /admin/account/.

Listed one by one, to leave out allauth's sign-up, e-mail management and password reset by mail. The
names are those that allauth reverses.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.urls import path

from staff import views

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("login/code/", views.CodeOrKeyView.as_view(), name="mfa_authenticate"),
    path("logout/", account.logout, name="account_logout"),
    path("enrol/", views.enrol, name="staff_enrol"),
    path("password/", account.password_change, name="account_change_password"),
    path("again/", account.reauthenticate, name="account_reauthenticate"),
    path("again/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("again/key/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("factor/", mfa.index, name="mfa_index"),
    path("factor/app/add/", totp.activate_totp, name="mfa_activate_totp"),
    path("factor/app/remove/", views.RemoveAppView.as_view(), name="mfa_deactivate_totp"),
    path("factor/key/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("factor/key/<int:pk>/remove/", views.RemoveKeyView.as_view(), name="mfa_remove_webauthn"),
    path("factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "factor/codes/new/",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "factor/codes/download/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
]
