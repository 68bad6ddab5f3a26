"""Middleware: the admin's hosts, request sizes, null bytes and the language."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from core.http import (
    CHECKED_BY_VIEW,
    MAX_FORM_BYTES,
    PUBLIC_URLCONF,
    is_admin_host,
    is_admin_path,
    is_admin_request,
    language_from_path,
)
from newsroom.error_views import refusal

GetResponse = Callable[[HttpRequest], HttpResponseBase]
NUMBER = re.compile(r"[0-9]{1,18}")


class AdminHostMiddleware:
    """Under hosts other than ADMIN_HOSTS /admin/ is not found."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_admin_path(request) and not is_admin_host(request):
            request.urlconf = PUBLIC_URLCONF
        return self.get_response(request)


class RequestSizeLimitMiddleware:
    """Limits request bodies to MAX_FORM_BYTES.

    Views with `max_body_bytes` accept more from authenticated staff.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            # Chunked: Django would treat the body as empty.
            return refusal(_language_of(request), HTTPStatus.LENGTH_REQUIRED)
        if not NUMBER.fullmatch(request.META.get("CONTENT_LENGTH") or "0"):
            return refusal(_language_of(request), HTTPStatus.BAD_REQUEST)
        if _content_length(request) > MAX_FORM_BYTES and not is_admin_request(request):
            return _too_large(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Before the CSRF middleware, which reads the body."""
        length = _content_length(request)
        if length <= MAX_FORM_BYTES:
            return None
        admin_limit = getattr(getattr(view, "model_admin", None), "max_body_bytes", MAX_FORM_BYTES)
        limit = getattr(view, "max_body_bytes", admin_limit)
        is_allowed = limit is CHECKED_BY_VIEW or length <= limit
        return None if is_allowed and request.user.is_authenticated else _too_large(request)


class RejectNullBytesMiddleware:
    """Refuses NUL in requests to the admin: PostgreSQL rejects it in text, SQLite stores it.

    After the CSRF middleware, which has parsed the form. Public forms validate it themselves.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        url = request.path_info + unquote(request.META.get("QUERY_STRING", ""))
        if "\0" in url and is_admin_request(request):
            return self._refusal(request)
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        # The upload of a list, which is csrf_exempt, parses its form later.
        if not is_admin_request(request) or getattr(view, "csrf_exempt", False):
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
    """Works before LanguageFromPathMiddleware too."""
    if is_admin_request(request):
        return translation.get_language_from_request(request)
    return language_from_path(request)


class LanguageFromPathMiddleware:
    """Public pages: the language of the path's first segment, else the default.

    The admin: the language cookie, which is limited to the admin's path, else Accept-Language.
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
