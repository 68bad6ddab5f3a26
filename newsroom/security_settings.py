"""Authentication, cookies and TLS. The content security policies are in security_headers.py."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from newsroom import env
from newsroom.base_settings import PRODUCTION, SITE_URL

# --- Authentication ------------------------------------------------------------------

# Off in the demo of `make run`.
REQUIRE_SECOND_FACTOR = env.boolean("REQUIRE_SECOND_FACTOR", True)
if PRODUCTION and not REQUIRE_SECOND_FACTOR:
    raise ImproperlyConfigured(
        "REQUIRE_SECOND_FACTOR is off in production. Unset it: who may publish or send needs one."
    )
# Whoever has no other permission may log in with a password alone: docs/staff.md.
PASSWORD_ONLY_PERMISSIONS = frozenset(
    {
        "articles.add_article",
        "articles.add_picture",
        "articles.change_article",
        "articles.change_picture",
        "articles.delete_article",
        "articles.translate_article",
        "articles.view_article",
        "articles.view_author",
        "articles.view_digest",
        "articles.view_sitesettings",
        "articles.view_page",
        "articles.view_picture",
        "articles.view_revision",
        "articles.view_topic",
        "newsletter.view_edition",
        "newsletter.view_mailing",
    }
)
SECOND_APPROVER = env.boolean("SECOND_APPROVER", False)
"""Whether a digest goes only after two people have approved the same letters."""
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["staff.backends.StaffBackend"]
LOGIN_URL = LOGOUT_REDIRECT_URL = "account_login"
LOGIN_REDIRECT_URL = "/admin/"
SESSION_ENGINE = "staff.sessions"
ACCOUNT_ADAPTER = "staff.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_FORMS = {
    "login": "staff.forms.LoginForm",
    "reauthenticate": "staff.forms.ReauthenticatePasswordForm",
    "change_password": "staff.forms.ChangePasswordForm",
}
# "amount/period/per"; `key` is the user's id. Log-ins have a limit of their own, in
# staff.login_throttle: allauth's is by network, so a stranger in the same VPN could lock out staff.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": "5/5m/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
}
MFA_ADAPTER = "staff.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = str(urlsplit(SITE_URL).hostname)
# No mail goes to staff, so nobody verifies their addresses.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_FORMS = {
    "authenticate": "staff.forms.CodeForm",
    "reauthenticate": "staff.forms.ReauthenticateCodeForm",
    "activate_totp": "staff.forms.ActivateAppForm",
    "add_webauthn": "staff.forms.AddSecurityKeyForm",
    "authenticate_webauthn": "staff.forms.SecurityKeyForm",
    "reauthenticate_webauthn": "staff.forms.ReauthenticateSecurityKeyForm",
}
# How many trusted proxies add to X-Forwarded-For. Behind one too few all staff are one client,
# whom any stranger can lock out.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer(
    "TRUSTED_PROXIES", 1 if PRODUCTION else 0, minimum=0, maximum=9
)

# --- Cookies and TLS -----------------------------------------------------------------

X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Lax, so that a link in a mail opens the admin for a logged-in editor; its forms need Strict.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
if PRODUCTION:
    # Browsers accept the prefix over TLS only (RFC 6265bis, 4.1.3.1).
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Secure-sessionid", "__Secure-csrftoken"
# Public pages get no cookie.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = "/admin/"
# See staff.known_devices.
DEVICE_COOKIE_NAME = "__Secure-device" if PRODUCTION else "device"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = PRODUCTION
if PRODUCTION:
    SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.integer(
        "SECURE_HSTS_SECONDS", 31_536_000, minimum=0, maximum=63_072_000
    )
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.boolean("SECURE_HSTS_INCLUDE_SUBDOMAINS", True)
    SECURE_HSTS_PRELOAD = env.boolean("SECURE_HSTS_PRELOAD", True)
