"""What stands between a log-in and the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth import REDIRECT_FIELD_NAME, SESSION_KEY
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from core.http import is_staff_page
from staff.second_factor import has_second_factor, needs_second_factor

GetResponse = Callable[[HttpRequest], HttpResponseBase]
OPEN_UNTIL_ENROLLED = frozenset(
    {
        "staff_enrol",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "account_reauthenticate",
        "account_logout",
        "admin:logout",
        "set_language",
    }
)
"""All that somebody can reach who must have a second factor and has none."""


class SecondFactorFirst:
    """Leads whoever must enrol to the enrolment, whatever they asked for, and does nothing else.

    It stands behind allauth's middleware, so that it hears of an exception before that.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: object, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        # Readers' pages never look at who asks.
        if not is_staff_page(request):
            return None
        if not request.user.is_authenticated:
            if SESSION_KEY in request.session:
                # Of an account that is disabled: it must not come back to life with it.
                request.session.flush()
            return None
        asked = request.resolver_match.view_name if request.resolver_match else ""
        if (
            asked in OPEN_UNTIL_ENROLLED
            or not needs_second_factor(request.user)
            or has_second_factor(request.user)
        ):
            return None
        return redirect("staff_enrol")

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Asks for the password again, then for the page.

        allauth would keep the whole request in the session meanwhile: what was typed, the
        cookie and the client's address.
        """
        if not isinstance(exception, ReauthenticationRequired):
            return None
        methods = get_adapter().get_reauthentication_methods(request.user)
        ask = methods[0]["url"] if methods else reverse("account_login")
        return HttpResponseRedirect(f"{ask}?{urlencode({REDIRECT_FIELD_NAME: request.path})}")
