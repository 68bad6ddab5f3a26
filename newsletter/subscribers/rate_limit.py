"""The sign-up form's rate limit per client.

Whichever sees the client's address counts: the reverse proxy where it reports its result, else this
process, in memory alone, so that no visitor's address is stored. Each web process counts for
itself.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.conf import settings
from django.http import HttpRequest

from staff.rate_limit_keys import request_client_hash

PROXY_STATUS_HEADER = "X-Sign-Up-Pace"
"""nginx's $limit_req_status, set by deploy/nginx-pages.conf."""
WINDOW = dt.timedelta(minutes=10)
MAX_SIGN_UPS_PER_WINDOW = 10
"""Many visitors share one VPN; whoever is over the limit only waits a little."""
MAX_TRACKED_CLIENTS = 50_000
"""Bounds the memory."""


class RateLimiter:
    """Fixed windows, held in memory."""

    def __init__(self, limit: int = MAX_SIGN_UPS_PER_WINDOW, window: dt.timedelta = WINDOW) -> None:
        self._limit, self._window = limit, window
        self._began = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._counts: Counter[str] = Counter()

    def exceeds_limit(self, client: str, now: dt.datetime) -> bool:
        """Counts one request. `client` is a keyed hash, never an address."""
        # A window in the future was begun before the clock was set back.
        if not self._began <= now < self._began + self._window:
            self._began = now
            self._counts.clear()
        if client not in self._counts and len(self._counts) >= MAX_TRACKED_CLIENTS:
            return True
        self._counts[client] += 1
        return self._counts[client] > self._limit


def is_rate_limited(request: HttpRequest, limiter: RateLimiter, now: dt.datetime) -> bool:
    """As the proxy reports, else as `limiter` counts.

    Behind a proxy that reports nothing and hides clients' addresses nobody is limited: one flooder
    would block everybody else. The hourly limit of confirmations still holds.
    """
    reported = request.headers.get(PROXY_STATUS_HEADER)
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and reported is not None:
        return reported.startswith("REJECTED")
    client = request_client_hash(request)
    return bool(client) and limiter.exceeds_limit(client, now)


sign_up_limiter = RateLimiter()
"""This process's own."""
