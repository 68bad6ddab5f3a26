"""How the relays stand, for the staff to read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Sum

from newsletter.delivery.relays import limits
from newsletter.delivery.relays.config import Relay
from newsletter.models import Lane, RelayState
from newsletter.models.quotas import DAY, window_start
from newsletter.models.relays import LONGEST_PAUSE

OFTEN = 3
"""So many failures in a row are no hiccup: a person should know."""


class Word(StrEnum):
    """What matters of a relay first."""

    REFUSES = "refuses"
    FAILS = "fails"
    FULL = "full"  # for today
    WORKS = "works"
    UNUSED = "unused"


@dataclass(frozen=True)
class Standing:
    """One relay at a moment."""

    relay: Relay
    state: RelayState
    open_connections: int
    used_today: int
    cap_today: int | None
    tomorrow: dt.datetime
    """When the day's count begins anew, UTC."""

    @property
    def name(self) -> str:
        return str(self.relay)

    @property
    def word(self) -> Word:
        if self.state.refuses:
            return Word.REFUSES
        if self.state.is_failing:
            return Word.FAILS
        if self.cap_today is not None and self.used_today >= self.cap_today:
            return Word.FULL
        return Word.WORKS if self.state.works_since else Word.UNUSED

    @property
    def is_warming_up(self) -> bool:
        """The day's cap still grows."""
        return self.cap_today is not None and self.cap_today != self.relay.per_day

    def alarms(self, now: dt.datetime) -> bool:
        """Whether a person should look after it: it has failed more than for a moment, lately."""
        down_until = self.state.down_until
        is_recent = down_until is not None and now - DAY < down_until <= now + 2 * LONGEST_PAUSE
        return is_recent and (self.state.refuses or self.state.failures >= OFTEN)


def standings(now: dt.datetime) -> list[Standing]:
    """In the order in which they are used."""
    names = [str(relay) for relay in settings.RELAYS]
    states = RelayState.objects.in_bulk(names)
    taken = dict(
        Lane.objects.filter(relay__in=names).values_list("relay").annotate(Sum("connections"))
    )
    found = []
    for relay in settings.RELAYS:
        cap = relay.most_on(now.date())
        found.append(
            Standing(
                relay=relay,
                state=states.get(str(relay)) or RelayState(name=str(relay)),
                open_connections=taken.get(str(relay), 0),
                used_today=limits.used_today(relay, now) if cap is not None else 0,
                cap_today=cap,
                tomorrow=window_start(now, DAY) + DAY,
            )
        )
    return found


def alarming(now: dt.datetime) -> list[Standing]:
    """Those that a person should look after."""
    return [one for one in standings(now) if one.alarms(now)]
