"""Parses RELAY_URL, such as smtp+starttls://user:pass@host:587?per_day=50000.

Several URLs, separated by white space, are used in order: the next if one is down or full.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
BACKEND_SCHEME = "backend"
"""Of a Django email backend: backend:anymail.backends.mailgun.EmailBackend."""
WARM_UP, SINCE = "warm_up", "since"
OPTIONS = ("connections", "per_minute", "per_day", WARM_UP, SINCE)
MAX_VALUES = {
    "connections": 1000,
    "per_minute": 1_000_000,
    "per_day": 100_000_000,
    WARM_UP: 1_000_000,
}
MAX_WARM_UP_DAYS = 40
"""By then the daily limit has doubled beyond any list."""


@dataclass(frozen=True)
class Relay:
    """An SMTP server that mail is handed to, or a Django email backend with its path as `host`."""

    scheme: str
    host: str
    port: int
    user: str
    password: str
    connections: int | None = None
    """At most so many at once, of all lanes together."""
    per_minute: int | None = None
    per_day: int | None = None
    warm_up: int | None = None
    """Letters on the first day; the limit doubles each day."""
    since: dt.date | None = None
    """The first day of the warm-up."""

    @classmethod
    def parse(cls, url: str) -> Relay:
        """Raises ImproperlyConfigured without repeating the password."""
        address, _mark, query = url.partition("?")
        options = _options(query)
        if address.startswith(f"{BACKEND_SCHEME}:"):
            return cls(BACKEND_SCHEME, _class_path(address.partition(":")[2]), 0, "", "", **options)
        try:
            parts = urlsplit(address)
            port = parts.port or PORTS[parts.scheme]
            host = (parts.hostname or "") if parts.path in {"", "/"} else ""
        except (ValueError, KeyError):
            host = ""
        if not host:
            _fail(
                "is not a relay's address. Write smtp://host:25 (plain), "
                "smtp+starttls://user:password@host:587, smtps://user:password@host:465, or "
                "backend: and the path of a mail backend of Django's."
            )
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, host, port, user, password, **options)

    @property
    def is_backend(self) -> bool:
        """A Django email backend, not an SMTP server."""
        return self.scheme == BACKEND_SCHEME

    def daily_limit(self, day: dt.date) -> int | None:
        """Letters that it may be given on this day; None without a limit.

        Providers take much mail from a new IP address for spam, so its limit starts low.
        """
        if self.warm_up is None or self.since is None:
            return self.per_day
        days = min(max((day - self.since).days, 0), MAX_WARM_UP_DAYS)
        warm = self.warm_up * int(2**days)
        return warm if self.per_day is None else min(warm, self.per_day)

    def __str__(self) -> str:
        if self.is_backend:
            return self.host.removesuffix(".EmailBackend").rpartition(".")[2]
        return f"{self.host}:{self.port}"


def parse_all(text: str) -> tuple[Relay, ...]:
    """In order of use. Raises ImproperlyConfigured."""
    relays = tuple(Relay.parse(url) for url in text.split())
    names = [str(relay) for relay in relays]
    for name in names:
        if names.count(name) > 1:
            _fail(f"names {name} twice. The ledger could not tell one from the other.")
    return relays


def _options(query: str) -> dict[str, Any]:
    """The fields of a Relay from the query string."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS or name in found:
            _fail(f"has {name!r} in it. After the ? may stand, once each: {', '.join(OPTIONS)}.")
        found[name] = _parse_day(value) if name == SINCE else _parse_number(name, value)
    if (WARM_UP in found) != (SINCE in found):
        _fail("needs both for a warm-up: warm_up=500&since=2026-11-25, its first day.")
    return found


def _parse_number(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) <= MAX_VALUES[name]:
        _fail(f"says {name}={value}. Set it to a whole number from 1 to {MAX_VALUES[name]}.")
    return int(value)


def _parse_day(value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        _fail(f"says since={value}. Set it to a day such as 2026-11-25.")


def _class_path(path: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", path):
        _fail(
            "names no mail backend of Django's. Write the path of its class, such as "
            "backend:anymail.backends.mailgun.EmailBackend."
        )
    return path


def _fail(reason: str) -> NoReturn:
    raise ImproperlyConfigured(f"RELAY_URL {reason}")
