"""The cookie by which the log-in page knows a browser that has logged in to an account before.

It opens nothing and names nobody: a random number, a day, and a MAC (HMAC-SHA256) of both with the
account and its password's hash. The site stores nothing of it. Whoever finds it learns that
somebody has logged in with this browser, not who; another password ends it.
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

KNOWN_FOR = dt.timedelta(days=180)
"""Since the last log-in; each one begins it anew."""


def remember(response: HttpResponse, user: User, today: dt.date) -> None:
    """Sets the cookie, for the admin alone."""
    number, day = secrets.token_hex(16), today.isoformat()
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        f"{number}.{day}.{_mac(user, number, day)}",
        max_age=KNOWN_FOR,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def device_of(request: HttpRequest, username: str, today: dt.date) -> str:
    """A name for the browser to count it by; empty where it has not logged in to this account."""
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
    return today - KNOWN_FOR <= since <= today


def _mac(user: User, number: str, day: str) -> str:
    about = f"{user.pk} {number} {day} {user.password}"
    return hmac.digest(site_key("known device"), about.encode(), hashlib.sha256).hex()
