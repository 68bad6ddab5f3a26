"""The status of the relays, for staff."""

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
from newsletter.models.relays import MAX_BACKOFF

ALERT_AFTER_FAILURES = 3
"""Consecutive failures; fewer may be a passing fault."""


class RelayHealth(StrEnum):
    """The health of a relay, the most important first."""

    REFUSES = "refuses"
    FAILS = "fails"
    FULL = "full"  # for today
    WORKS = "works"
    UNUSED = "unused"


@dataclass(frozen=True)
class RelayStatus:
    """The status of one relay at one moment."""

    relay: Relay
    state: RelayState
    open_connections: int
    used_today: int
    cap_today: int | None
    tomorrow: dt.datetime
    """Midnight UTC, when the daily limit starts again."""

    @property
    def name(self) -> str:
        return str(self.relay)

    @property
    def health(self) -> RelayHealth:
        if self.state.refuses:
            return RelayHealth.REFUSES
        if self.state.is_failing:
            return RelayHealth.FAILS
        if self.cap_today is not None and self.used_today >= self.cap_today:
            return RelayHealth.FULL
        return RelayHealth.WORKS if self.state.works_since else RelayHealth.UNUSED

    @property
    def is_warming_up(self) -> bool:
        """The daily limit still doubles each day."""
        return self.cap_today is not None and self.cap_today != self.relay.per_day

    def needs_attention(self, now: dt.datetime) -> bool:
        """Whether a person should look: it refuses, or fails repeatedly, and did so recently."""
        down_until = self.state.down_until
        is_recent = down_until is not None and now - DAY < down_until <= now + 2 * MAX_BACKOFF
        return is_recent and (self.state.refuses or self.state.failures >= ALERT_AFTER_FAILURES)


def relay_statuses(now: dt.datetime) -> list[RelayStatus]:
    """In order of use."""
    names = [str(relay) for relay in settings.RELAYS]
    states = RelayState.objects.in_bulk(names)
    taken = dict(
        Lane.objects.filter(relay__in=names).values_list("relay").annotate(Sum("connections"))
    )
    found = []
    for relay in settings.RELAYS:
        cap = relay.daily_limit(now.date())
        found.append(
            RelayStatus(
                relay=relay,
                state=states.get(str(relay)) or RelayState(name=str(relay)),
                open_connections=taken.get(str(relay), 0),
                used_today=limits.used_today(relay, now) if cap is not None else 0,
                cap_today=cap,
                tomorrow=window_start(now, DAY) + DAY,
            )
        )
    return found


def failing_relays(now: dt.datetime) -> list[RelayStatus]:
    """Those that need attention."""
    return [one for one in relay_statuses(now) if one.needs_attention(now)]
