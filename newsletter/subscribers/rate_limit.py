"""How fast one client may sign up.

Whoever sees the clients counts, and nobody else: the proxy where it says what it counted, else
the site, in the memory of this process alone, so that nothing that says who came is ever stored.
Several web processes count each for itself, so a client may do as much at each of them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.conf import settings
from django.http import HttpRequest

from staff.rate_limit_keys import reader_of

PROXYS_WORD = "X-Sign-Up-Pace"
"""nginx's $limit_req_status, which deploy/nginx-pages.conf hands on."""
WINDOW = dt.timedelta(minutes=10)
MOST_IN_WINDOW = 10
"""Many readers come by one VPN, and who is over the limit waits a little, no more."""
MOST_CLIENTS = 50_000
"""So that a crowd of clients does not fill the memory."""


class Pace:
    """Counts clients within windows, and forgets all of them with each new window."""

    def __init__(self, most: int = MOST_IN_WINDOW, window: dt.timedelta = WINDOW) -> None:
        self._most, self._window = most, window
        self._began = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._counts: Counter[str] = Counter()

    def is_too_fast(self, client: str, now: dt.datetime) -> bool:
        """Counts one more of this client's, who is a keyed hash, never an address."""
        # A window that lies ahead was begun by a clock that has been set back since.
        if not self._began <= now < self._began + self._window:
            self._began = now
            self._counts.clear()
        if client not in self._counts and len(self._counts) >= MOST_CLIENTS:
            return True
        self._counts[client] += 1
        return self._counts[client] > self._most


def signs_up_too_fast(request: HttpRequest, pace: Pace, now: dt.datetime) -> bool:
    """The proxy's word; without one what `pace` counts.

    Where a proxy says nothing and keeps clients' addresses to itself nobody is too fast: one who
    floods the form would make all others so. The budget of confirmations an hour holds there.
    """
    said = request.headers.get(PROXYS_WORD)
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and said is not None:
        return said.startswith("REJECTED")
    client = reader_of(request)
    return bool(client) and pace.is_too_fast(client, now)


pace = Pace()
"""This process's own."""
