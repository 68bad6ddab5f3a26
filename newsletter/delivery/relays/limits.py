"""How many letters may leave: a minute in all, to each provider and through each relay; and a day.

Counted in the database, which all workers share and no restart empties. A claim asks for its whole
batch at once and counts it in its own transaction, so a limit costs a letter nothing, and what a
crash undoes was not counted.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from newsletter.delivery.relays.config import Relay
from newsletter.models import Spending, Throttle
from newsletter.models.quotas import DAY, window_start

IN_ALL = "all letters"
ASK_AGAIN_IN = dt.timedelta(seconds=0.25)
"""A lane that limits hold back does not ask more often."""


@dataclass(frozen=True)
class Room:
    """How many letters a lane may claim."""

    most: int
    by_provider: Mapping[str, int] = field(default_factory=dict)
    """Of those whose letters are limited."""
    ask_again_at: dt.datetime | None = None
    """None where there are no limits."""
    opens_at: dt.datetime | None = None
    """When one of the limits that leave no room just now will."""

    @property
    def full(self) -> list[str]:
        """Providers who get no letter just now."""
        return [code for code, most in self.by_provider.items() if not most]


def room(relay: Relay, wanted: int, now: dt.datetime) -> Room:
    """Within a transaction: who asks the same waits for its end."""
    throttles, caps = list(_throttles(relay)), list(_day_cap(relay, now))
    if not throttles and not caps and not settings.PROVIDER_LIMITS:
        return Room(wanted)
    most, opens_at = wanted, now
    for what, per_minute in throttles:
        throttle = _locked(what, now)
        most = min(most, throttle.room(per_minute, now))
        opens_at = max(opens_at, throttle.opens_at(per_minute, now))
    for what, cap in caps:
        left = cap - Spending.lock(what, window_start(now, DAY)).count
        most = min(most, max(left, 0))
        if left <= 0:
            opens_at = window_start(now, DAY) + DAY
    providers = {
        code: (_locked(_of_provider(code), now), per_minute)
        for code, per_minute in sorted(settings.PROVIDER_LIMITS.items())
    }
    by_provider = {code: one.room(limit, now) for code, (one, limit) in providers.items()}
    if most:
        waits = [one.opens_at(limit, now) for one, limit in providers.values()]
        opens_at = min(waits, default=now)
    return Room(most, by_provider, now + ASK_AGAIN_IN, opens_at)


def count(relay: Relay, providers: Counter[str], now: dt.datetime) -> None:
    """So many letters leave for each provider. Within a transaction."""
    _change(relay, providers, now, 1)


def give_back(relay: Relay, providers: Counter[str], now: dt.datetime) -> None:
    """So many that were counted have not left. Within a transaction."""
    _change(relay, providers, now, -1)


def has_room_today(relay: Relay, now: dt.datetime) -> bool:
    """Whether the day's cap of a relay leaves anything."""
    since = window_start(now, DAY)
    return all(Spending.spent(what, since) < cap for what, cap in _day_cap(relay, now))


def used_today(relay: Relay, now: dt.datetime) -> int:
    """Letters that a relay with a cap has been given since midnight, UTC."""
    return Spending.spent(_of_day(relay), window_start(now, DAY))


def _change(relay: Relay, providers: Counter[str], now: dt.datetime, sign: int) -> None:
    letters = providers.total()
    if not letters:
        return
    for what, per_minute in _throttles(relay):
        _let_through(what, sign * letters, per_minute, now)
    since = window_start(now, DAY)
    for what, _cap in _day_cap(relay, now):
        if sign > 0:
            Spending.count_more(what, since, letters)
        else:
            Spending.give_back(what, since, letters)
    for code, per_minute in sorted(settings.PROVIDER_LIMITS.items()):
        if providers[code]:
            _let_through(_of_provider(code), sign * providers[code], per_minute, now)


def _throttles(relay: Relay) -> Iterator[tuple[str, int]]:
    """In the order in which their rows are locked, which is the same for everybody."""
    if settings.LETTERS_PER_MINUTE:
        yield IN_ALL, settings.LETTERS_PER_MINUTE
    if relay.per_minute is not None:
        yield f"relay {relay}", relay.per_minute


def _day_cap(relay: Relay, now: dt.datetime) -> Iterator[tuple[str, int]]:
    cap = relay.most_on(now.date())
    if cap is not None:
        yield _of_day(relay), cap


def _of_day(relay: Relay) -> str:
    return f"relay {relay}"


def _of_provider(code: str) -> str:
    return f"provider {code}"


def _let_through(what: str, letters: int, per_minute: int, now: dt.datetime) -> None:
    throttle = _locked(what, now)
    throttle.pass_through(letters, per_minute, now)
    throttle.save()


def _locked(what: str, now: dt.datetime) -> Throttle:
    Throttle.objects.get_or_create(what=what, defaults={"paid_until": now - DAY})
    return Throttle.objects.select_for_update().get(what=what)
