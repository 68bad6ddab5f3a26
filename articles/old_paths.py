"""The address that an article had on another system, before it came here."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from core.http import READERS_URLCONF, STAFF_PATH

LONGEST = 300
PROBED = ("", "/")
"""Our addresses end in a slash, and a browser is led to it."""


class BadPath(ValueError):
    """It cannot be an article's old address; says why."""


def normal(typed: str) -> str:
    """As it is kept: decoded, without the host, the fragment and a slash at its end.

    A whole address may be typed, since that is what people copy. Raises BadPath.
    """
    path = _kept(typed.strip())
    if not path.startswith("/"):
        raise BadPath(_("An old path begins with a slash: /2019/05/12/"))
    if not path.isprintable():
        raise BadPath(_("The old path has a character that no address has."))
    if len(path) > LONGEST:
        raise BadPath(_("The old path is longer than %(most)s characters.") % {"most": LONGEST})
    if _is_ours(path.partition("?")[0]):
        raise BadPath(_("This site itself answers at %(path)s.") % {"path": path})
    return path


def looked_up(path: str, query: str) -> list[str]:
    """What may be kept of an address that somebody asks for: with its query, and without."""
    plain = path.rstrip("/")
    found = [f"{plain}?{query}", plain] if query else [plain]
    return [one for one in found if one and one.isprintable() and len(one) <= LONGEST]


def _kept(typed: str) -> str:
    try:
        parts = urlsplit(typed)
    except ValueError:
        raise BadPath(_("This is not an address.")) from None
    path = unquote(parts.path).rstrip("/")
    if parts.netloc or typed.startswith("/"):
        path = path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _is_ours(path: str) -> bool:
    """Whether an old path would stand in the way of a page, or never be reached."""
    if f"{path}/".startswith((STAFF_PATH, settings.STATIC_URL)) or path == "/healthz":
        return True
    for ending in PROBED:
        try:
            resolve(path.rstrip("/") + ending or "/", urlconf=READERS_URLCONF)
        except Resolver404:
            continue
        return True
    return False
