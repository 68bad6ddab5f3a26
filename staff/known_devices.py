"""The cookie that tells a browser that has logged in to an account before.

It authenticates nobody and names nobody: a random number, a date, and an HMAC-SHA256 of both with
the account and its password hash. Nothing is stored on the server; a new password invalidates it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from keys.sealing import site_key

DEVICE_TTL = dt.timedelta(days=180)
"""Since the last log-in."""


def remember(response: HttpResponse, user: User, today: dt.date) -> None:
    """Sets the cookie, for the admin's path."""
    number, day = secrets.token_hex(16), today.isoformat()
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        f"{number}.{day}.{_mac(user, number, day)}",
        max_age=DEVICE_TTL,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def device_key(request: HttpRequest, username: str, today: dt.date) -> str:
    """A rate limit key for the browser; empty if it has never logged in to this account."""
    number, day, mac = _parts(request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""))
    if not (mac and _is_recent(day, today)):
        return ""
    for user in User.objects.filter(username__iexact=username):
        if hmac.compare_digest(mac.encode(), _mac(user, number, day).encode()):
            return hashlib.sha256(mac.encode()).hexdigest()
    return ""


def _parts(cookie: str) -> tuple[str, str, str]:
    parts = cookie.split(".")
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", "")


def _is_recent(day: str, today: dt.date) -> bool:
    try:
        since = dt.date.fromisoformat(day)
    except ValueError:
        return False
    return today - DEVICE_TTL <= since <= today


def _mac(user: User, number: str, day: str) -> str:
    message = f"{user.pk} {number} {day} {user.password}"
    return hmac.digest(site_key("known device"), message.encode(), hashlib.sha256).hex()
