"""The last known state of each relay, and rate limiters."""

from __future__ import annotations

import datetime as dt

from django.db import models

MIN_BACKOFF, MAX_BACKOFF = dt.timedelta(seconds=30), dt.timedelta(minutes=5)
"""How long a failed relay is avoided while there is another one: doubles each time."""
MINUTE = dt.timedelta(minutes=1)
MIN_BURST_WINDOW = dt.timedelta(seconds=2)
"""Unused capacity older than this is lost, so that a minute's letters never leave at once."""
MAX_CLOCK_SKEW = dt.timedelta(minutes=5)
"""A time further ahead was written under a clock that ran ahead."""


class RelayState(models.Model):
    """How a relay replied last. `name` is host:port as in RELAY_URL, without credentials."""

    name = models.CharField(max_length=100, primary_key=True)
    works_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    down_until = models.DateTimeField(null=True)
    refuses = models.BooleanField(default=False)
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        return self.failures > 0

    def is_down(self, now: dt.datetime) -> bool:
        """To be avoided while another relay can be used."""
        return self.down_until is not None and now < self.down_until <= now + 2 * MAX_BACKOFF

    def record_failure(self, cause: str, now: dt.datetime, *, refuses: bool = False) -> None:
        """It could not be reached, dropped the connection or refused the session."""
        backoff = min(MIN_BACKOFF * int(2 ** min(self.failures, 10)), MAX_BACKOFF)
        self.failures += 1
        self.failing_since = self.failing_since or now
        self.down_until = now + (MAX_BACKOFF if refuses else backoff)
        self.refuses, self.cause = refuses, cause[:200]
        self.save()

    def record_success(self, now: dt.datetime) -> None:
        """It accepted mail."""
        self.works_since, self.failures, self.failing_since = now, 0, None
        self.down_until, self.refuses, self.cause = None, False, ""
        self.save()


class RateLimiter(models.Model):
    """So many letters a minute, evenly spread: the generic cell rate algorithm (ITU-T I.371)."""

    what = models.CharField(max_length=120, primary_key=True)
    paid_until = models.DateTimeField()
    """The theoretical arrival time: what was let through is paid for until then."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.what

    def available(self, per_minute: int, now: dt.datetime) -> int:
        """How many may leave now: at most `per_minute` in any minute."""
        return max((now - self._since(per_minute, now)) // _interval(per_minute), 0)

    def opens_at(self, per_minute: int, now: dt.datetime) -> dt.datetime:
        """When the next one may leave."""
        return self._since(per_minute, now) + _interval(per_minute)

    def consume(self, count: int, per_minute: int, now: dt.datetime) -> None:
        """Counts so many as leaving, whatever is available; a negative count gives back."""
        paid = self._since(per_minute, now) + count * _interval(per_minute)
        self.paid_until = min(paid, now + MAX_CLOCK_SKEW)

    def _since(self, per_minute: int, now: dt.datetime) -> dt.datetime:
        if self.paid_until > now + 2 * MAX_CLOCK_SKEW:
            return now
        return max(self.paid_until, now - _burst_window(per_minute))


def _interval(per_minute: int) -> dt.timedelta:
    """Between two letters, such that a burst never makes a minute exceed its limit."""
    return max(MINUTE / per_minute, (MINUTE + MIN_BURST_WINDOW) / (per_minute + 1))


def _burst_window(per_minute: int) -> dt.timedelta:
    """How long unused capacity is kept: long enough for one letter."""
    return max(MIN_BURST_WINDOW, _interval(per_minute))
