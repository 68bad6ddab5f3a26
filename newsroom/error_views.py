"""Views for errors: 400, 403, 500 and 503. They need no database."""

from __future__ import annotations

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader
from django.utils import translation
from django.views import csrf
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimeoutFailed

from core import languages
from core.http import is_admin_request, language_from_path

UNAVAILABLE_ERRORS = (OperationalError, InterfaceError, ConnectionFailed, TimeoutFailed)
RETRY_AFTER_SECONDS = 60


def server_error(request: HttpRequest) -> HttpResponse:
    """503 if the database or Redis is unavailable, else 500.

    Django calls it while the exception is being handled.
    """
    if isinstance(sys.exc_info()[1], UNAVAILABLE_ERRORS):
        return unavailable()
    return _page("500.html", 500)


def unavailable() -> HttpResponse:
    """In all languages at once."""
    answer = _page("503.html", 503)
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's SuspiciousOperation: an invalid Host, too many fields, and so on."""
    language = languages.current() if is_admin_request(request) else language_from_path(request)
    return refusal(language, HTTPStatus.BAD_REQUEST)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """CSRF_FAILURE_VIEW: Django's page in the admin, a plain one elsewhere."""
    if is_admin_request(request):
        return csrf.csrf_failure(request, reason)
    return refusal(language_from_path(request), HTTPStatus.FORBIDDEN)


def _page(template: str, status: int) -> HttpResponse:
    """Without the request: its context processors would query the database."""
    page = loader.render_to_string(template)
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"})


def refusal(language: str, status: HTTPStatus, *, has_null: bool = False) -> HttpResponse:
    """400, 403, 411 or 413; `has_null` is the reason of a 400."""
    context = {"status": status, "language": language, "has_null": has_null}
    with translation.override(language):
        page = loader.render_to_string("client_error.html", context)
    headers = {"Cache-Control": "no-store", "Content-Language": language}
    return HttpResponse(page, status=status, headers=headers)
