"""Context of the account pages, which look like the admin's."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.http import is_admin_request

ACCOUNT_PATH = "/admin/account/"
TITLES = {
    "account_login": _("Log in"),
    "account_logout": _("Log out"),
    "account_change_password": _("Change password"),
    "account_reauthenticate": _("Confirm that it is you"),
    "staff_enrol": _("Set up your second factor"),
    "mfa_authenticate": _("Your second factor"),
    "mfa_reauthenticate": _("Confirm that it is you"),
    "mfa_reauthenticate_webauthn": _("Confirm that it is you"),
    "mfa_index": _("Second factor"),
    "mfa_activate_totp": _("Set up an authenticator app"),
    "mfa_deactivate_totp": _("Remove the authenticator app"),
    "mfa_add_webauthn": _("Add a security key"),
    "mfa_remove_webauthn": _("Remove a security key"),
    "mfa_view_recovery_codes": _("Recovery codes"),
    "mfa_generate_recovery_codes": _("New recovery codes"),
}


def admin_context(request: HttpRequest) -> dict[str, Any]:
    """The admin's context, for allauth's views."""
    if not (request.path_info.startswith(ACCOUNT_PATH) and is_admin_request(request)):
        return {}
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    return {**admin.site.each_context(request), "title": TITLES.get(view_name, "")}


def environment_label(_request: HttpRequest) -> tuple[str, str] | None:
    """Unfold's ENVIRONMENT: a label in the header where no second factor is required."""
    return None if settings.REQUIRE_SECOND_FACTOR else (gettext("No second factor"), "warning")
