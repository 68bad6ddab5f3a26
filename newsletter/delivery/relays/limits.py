"""Limits: letters a minute in all, per provider and per relay, and letters a day per relay.

Counted in the database, shared by all workers and kept across restarts. A claim is counted once
for its whole batch, in its transaction: what a crash rolls back was not counted.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from newsletter.delivery.relays.config import Relay
from newsletter.models import Quota, RateLimiter
from newsletter.models.quotas import DAY, window_start

ALL_LETTERS = "all letters"
RETRY_INTERVAL = dt.timedelta(seconds=0.25)
"""How often a lane that is held back asks again."""


@dataclass(frozen=True)
class Allowance:
    """How many letters a lane may claim."""

    total: int
    by_provider: Mapping[str, int] = field(default_factory=dict)
    """For providers with a limit."""
    retry_at: dt.datetime | None = None
    """None without limits."""
    opens_at: dt.datetime | None = None
    """When the first exhausted limit allows a letter again."""

    @property
    def full(self) -> list[str]:
        """Providers that get no letter just now."""
        return [code for code, most in self.by_provider.items() if not most]


def allowance(relay: Relay, wanted: int, now: dt.datetime) -> Allowance:
    """Within a transaction: it locks the limits until its end."""
    limiters, caps = list(_limiters(relay)), list(_day_cap(relay, now))
    if not limiters and not caps and not settings.PROVIDER_LIMITS:
        return Allowance(wanted)
    most, opens_at = wanted, now
    for what, per_minute in limiters:
        limiter = _locked(what, now)
        most = min(most, limiter.available(per_minute, now))
        opens_at = max(opens_at, limiter.opens_at(per_minute, now))
    for what, cap in caps:
        left = cap - Quota.lock(what, window_start(now, DAY)).count
        most = min(most, max(left, 0))
        if left <= 0:
            opens_at = window_start(now, DAY) + DAY
    providers = {
        code: (_locked(_of_provider(code), now), per_minute)
        for code, per_minute in sorted(settings.PROVIDER_LIMITS.items())
    }
    by_provider = {code: one.available(limit, now) for code, (one, limit) in providers.items()}
    if most:
        waits = [one.opens_at(limit, now) for one, limit in providers.values()]
        opens_at = min(waits, default=now)
    return Allowance(most, by_provider, now + RETRY_INTERVAL, opens_at)


def count(relay: Relay, providers: Counter[str], now: dt.datetime) -> None:
    """Counts letters by provider. Within a transaction."""
    _change(relay, providers, now, 1)


def give_back(relay: Relay, providers: Counter[str], now: dt.datetime) -> None:
    """Takes back letters that were counted and not sent. Within a transaction."""
    _change(relay, providers, now, -1)


def has_room_today(relay: Relay, now: dt.datetime) -> bool:
    """Whether the relay is below its daily limit."""
    since = window_start(now, DAY)
    return all(Quota.spent(what, since) < cap for what, cap in _day_cap(relay, now))


def used_today(relay: Relay, now: dt.datetime) -> int:
    """Letters given to a relay with a daily limit since midnight, UTC."""
    return Quota.spent(_of_day(relay), window_start(now, DAY))


def _change(relay: Relay, providers: Counter[str], now: dt.datetime, sign: int) -> None:
    letters = providers.total()
    if not letters:
        return
    for what, per_minute in _limiters(relay):
        _consume(what, sign * letters, per_minute, now)
    since = window_start(now, DAY)
    for what, _cap in _day_cap(relay, now):
        if sign > 0:
            Quota.count_more(what, since, letters)
        else:
            Quota.give_back(what, since, letters)
    for code, per_minute in sorted(settings.PROVIDER_LIMITS.items()):
        if providers[code]:
            _consume(_of_provider(code), sign * providers[code], per_minute, now)


def _limiters(relay: Relay) -> Iterator[tuple[str, int]]:
    """In locking order, the same for every lane."""
    if settings.LETTERS_PER_MINUTE:
        yield ALL_LETTERS, settings.LETTERS_PER_MINUTE
    if relay.per_minute is not None:
        yield f"relay {relay}", relay.per_minute


def _day_cap(relay: Relay, now: dt.datetime) -> Iterator[tuple[str, int]]:
    cap = relay.daily_limit(now.date())
    if cap is not None:
        yield _of_day(relay), cap


def _of_day(relay: Relay) -> str:
    return f"relay {relay}"


def _of_provider(code: str) -> str:
    return f"provider {code}"


def _consume(what: str, letters: int, per_minute: int, now: dt.datetime) -> None:
    limiter = _locked(what, now)
    limiter.consume(letters, per_minute, now)
    limiter.save()


def _locked(what: str, now: dt.datetime) -> RateLimiter:
    RateLimiter.objects.get_or_create(what=what, defaults={"paid_until": now - DAY})
    return RateLimiter.objects.select_for_update().get(what=what)
