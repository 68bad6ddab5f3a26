"""What is answered when something broke, here or in what was sent.

Plain pages that ask nothing of the database.
"""

from __future__ import annotations

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template import loader
from django.utils import translation
from django.views.csrf import csrf_failure
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimeoutFailed

from core import languages
from core.http import is_staff_page, of_path

AWAY = (OperationalError, InterfaceError, ConnectionFailed, TimeoutFailed)
RETRY_AFTER = 60
"""Seconds after which a browser or a mirror may ask again."""


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database or Redis is away or a disk is full: that passes by itself.

    Django calls it while the exception is still being handled.
    """
    if isinstance(sys.exc_info()[1], AWAY):
        return unavailable()
    return _page("500.html", 500)


def unavailable() -> HttpResponse:
    """In all languages at once, for the path may name none."""
    answer = _page("503.html", 503)
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: a Host that is none, a form with too many fields, and whatever else Django suspects."""
    language = languages.current() if is_staff_page(request) else of_path(request)
    return refusal(language, HTTPStatus.BAD_REQUEST)


def not_our_form(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """403: what is posted to a readers' page that only shows something.

    The staff learn from Django's own page what their browser withheld.
    """
    if is_staff_page(request):
        return csrf_failure(request, reason)
    return refusal(of_path(request), HTTPStatus.FORBIDDEN)


def _page(template: str, status: int) -> HttpResponse:
    """Without the request, whose context would ask the database who is logged in."""
    page = loader.render_to_string(template)
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"})


def refusal(language: str, status: HTTPStatus, *, has_null: bool = False) -> HttpResponse:
    """A request that cannot be taken: 400, 403, 411 or 413; `has_null` says why it is 400."""
    context = {"status": status, "language": language, "has_null": has_null}
    with translation.override(language):
        page = loader.render_to_string("refused.html", context)
    headers = {"Cache-Control": "no-store", "Content-Language": language}
    return HttpResponse(page, status=status, headers=headers)
