"""Which language a page speaks, decided by its path alone; where the staff's pages are; and what
a request may carry."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from core.http import (
    BOUNDS_ITSELF,
    LARGEST_FORM,
    READERS_URLCONF,
    is_admin_host,
    is_staff_page,
    is_staff_path,
    of_path,
)
from newsroom.error_views import refusal

GetResponse = Callable[[HttpRequest], HttpResponseBase]
NUMBER = re.compile(r"[0-9]{1,18}")


class AdminOnItsHosts:
    """Under any other name the site has readers' pages only: /admin/ is like any unknown page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_staff_path(request) and not is_admin_host(request):
            request.urlconf = READERS_URLCONF
        return self.get_response(request)


class RequestSizeLimit:
    """Strangers send a few lines, to whatever path; nobody fills the memory with more.

    More is taken only from staff who are logged in, and only by a view that says so.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            # Of unknown length. Django would take it for empty, whatever it is.
            return refusal(_language_of(request), HTTPStatus.LENGTH_REQUIRED)
        if not NUMBER.fullmatch(request.META.get("CONTENT_LENGTH") or "0"):
            return refusal(_language_of(request), HTTPStatus.BAD_REQUEST)
        if _content_length(request) > LARGEST_FORM and not is_staff_page(request):
            return _too_large(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Before whoever looks for a CSRF token, who reads all of it."""
        length = _content_length(request)
        if length <= LARGEST_FORM:
            return None
        of_admin = getattr(getattr(view, "model_admin", None), "largest_form", LARGEST_FORM)
        limit = getattr(view, "largest_form", of_admin)
        is_taken = limit is BOUNDS_ITSELF or length <= limit
        return None if is_taken and request.user.is_authenticated else _too_large(request)


class NoNullBytes:
    """A NUL in what is sent to a page of the staff's: no text has one, and of the two databases
    one fails on it and the other would keep it. Readers' forms say so themselves.

    It stands behind the CSRF middleware, which has read the form.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.path_info + unquote(request.META.get("QUERY_STRING", ""))
        if "\0" in asked and is_staff_page(request):
            return self._refusal(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        # What is exempt from tokens reads its form by itself, later: the upload of a list.
        if not is_staff_page(request) or getattr(view, "csrf_exempt", False):
            return None
        has_one = any(
            "\0" in text for name, texts in request.POST.lists() for text in (name, *texts)
        )
        return self._refusal(request) if has_one else None

    @staticmethod
    def _refusal(request: HttpRequest) -> HttpResponseBase:
        return refusal(_language_of(request), HTTPStatus.BAD_REQUEST, has_null=True)


def _content_length(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)


def _too_large(request: HttpRequest) -> HttpResponseBase:
    return refusal(_language_of(request), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _language_of(request: HttpRequest) -> str:
    """Also before LanguageFromPath has looked."""
    if is_staff_page(request):
        return translation.get_language_from_request(request)
    return of_path(request)


class LanguageFromPath:
    """Readers' pages: the path's first segment, else the default; nothing is negotiated.

    The staff's pages name no language in their paths. They speak the one that was picked in
    the admin (a cookie that is sent to the admin only), else the browser's.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        language = _language_of(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
            return response
