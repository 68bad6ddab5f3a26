"""Requires the second factor in the admin."""

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

from core.http import is_admin_request
from staff.second_factor import has_second_factor, needs_second_factor

GetResponse = Callable[[HttpRequest], HttpResponseBase]
VIEWS_BEFORE_ENROLMENT = frozenset(
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
"""All that is open to a user who has yet to enrol."""


class RequireSecondFactorMiddleware:
    """Redirects users who need a second factor and have none to the enrolment.

    After allauth's middleware in MIDDLEWARE, so that its process_exception runs before allauth's.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: object, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        # Public pages never load the session.
        if not is_admin_request(request):
            return None
        if not request.user.is_authenticated:
            if SESSION_KEY in request.session:
                # The account is disabled: its session must not work again once it is enabled.
                request.session.flush()
            return None
        view_name = request.resolver_match.view_name if request.resolver_match else ""
        if (
            view_name in VIEWS_BEFORE_ENROLMENT
            or not needs_second_factor(request.user)
            or has_second_factor(request.user)
        ):
            return None
        return redirect("staff_enrol")

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Redirects to the reauthentication and back.

        allauth would store the request in the session: form data, cookies and IP address.
        """
        if not isinstance(exception, ReauthenticationRequired):
            return None
        methods = get_adapter().get_reauthentication_methods(request.user)
        url = methods[0]["url"] if methods else reverse("account_login")
        return HttpResponseRedirect(f"{url}?{urlencode({REDIRECT_FIELD_NAME: request.path})}")
