"""Paths that articles had on a former site; they redirect here."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from core.http import ADMIN_PATH, PUBLIC_URLCONF

MAX_OLD_PATH_CHARS = 300
TRAILING_SLASHES = ("", "/")
"""A path is checked without and with one: the site's own URLs end in a slash."""


class InvalidOldPath(ValueError):
    """Not a valid old path, with the reason."""


def normalize(typed: str) -> str:
    """Decoded, without host, fragment and trailing slash. Accepts a URL.

    Raises InvalidOldPath.
    """
    path = _path_and_query(typed.strip())
    if not path.startswith("/"):
        raise InvalidOldPath(_("An old path begins with a slash: /2019/05/12/"))
    if not path.isprintable():
        raise InvalidOldPath(_("The old path has a character that no address has."))
    if len(path) > MAX_OLD_PATH_CHARS:
        raise InvalidOldPath(
            _("The old path is longer than %(most)s characters.") % {"most": MAX_OLD_PATH_CHARS}
        )
    if _is_own_path(path.partition("?")[0]):
        raise InvalidOldPath(_("This site itself answers at %(path)s.") % {"path": path})
    return path


def lookup_candidates(path: str, query: str) -> list[str]:
    """Normalised paths to look up for a request: with its query string, and without."""
    plain = path.rstrip("/")
    found = [f"{plain}?{query}", plain] if query else [plain]
    return [one for one in found if one and one.isprintable() and len(one) <= MAX_OLD_PATH_CHARS]


def _path_and_query(typed: str) -> str:
    try:
        parts = urlsplit(typed)
    except ValueError:
        raise InvalidOldPath(_("This is not an address.")) from None
    path = unquote(parts.path).rstrip("/")
    if parts.netloc or typed.startswith("/"):
        path = path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _is_own_path(path: str) -> bool:
    """Whether the site itself answers there."""
    if f"{path}/".startswith((ADMIN_PATH, settings.STATIC_URL)) or path == "/healthz":
        return True
    for ending in TRAILING_SLASHES:
        try:
            resolve(path.rstrip("/") + ending or "/", urlconf=PUBLIC_URLCONF)
        except Resolver404:
            continue
        return True
    return False
