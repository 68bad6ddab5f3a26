"""What is answered when something broke: plain pages that ask nothing of the database."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import TimeoutError as TimeoutFailed

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


def _page(template: str, status: int) -> HttpResponse:
    """Without the request, whose context would ask the database who is logged in."""
    page = loader.render_to_string(template)
    return HttpResponse(page, status=status, headers={"Cache-Control": "no-store"})
