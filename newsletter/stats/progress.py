"""A mailing's progress and rate: the same figures for the admin and the terminal."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from newsletter.campaigns.lifecycle import Ledger
from newsletter.models import DeliveryStatus, Mailing, MailingStatus
from newsletter.models.deliveries import IN_FLIGHT
from newsletter.stats.counts import RATE_WINDOW, DeliveryGroup, DeliveryStats, count_by, ledger_of

STATUS_ORDER = (
    DeliveryStatus.SENT,
    DeliveryStatus.FAILED,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.EXCLUDED,
    DeliveryStatus.HANDED_OVER,
    DeliveryStatus.CLAIMED,
    DeliveryStatus.RETRY,
    DeliveryStatus.PENDING,
)
"""From done to waiting."""
STALLED_AFTER = dt.timedelta(minutes=3)
"""Longer than a lost connection delays the letters."""


@dataclass(frozen=True)
class StatusCount:
    """How many letters have one status."""

    status: DeliveryStatus
    count: int
    share: float
    """Of all, from 0 to 1."""

    @property
    def percent(self) -> float:
        return self.share * 100


@dataclass(frozen=True)
class RelayStats:
    """The letters whose last attempt went to this relay."""

    relay: str
    counts: dict[str, int]

    @property
    def ledger(self) -> Ledger:
        return Ledger.of(self.counts)

    @property
    def waiting(self) -> int:
        """For a retry."""
        return self.counts.get(DeliveryStatus.RETRY, 0)

    @property
    def in_flight(self) -> int:
        return sum(self.counts.get(status, 0) for status in IN_FLIGHT)


@dataclass(frozen=True)
class Progress:
    """A mailing at a moment."""

    mailing: Mailing
    stats: DeliveryStats

    @cached_property
    def ledger(self) -> Ledger:
        return ledger_of(self.stats.weekly)

    @cached_property
    def late(self) -> Ledger:
        """Of subscribers who confirmed after the launch."""
        return ledger_of(self.stats.late)

    @cached_property
    def states(self) -> list[StatusCount]:
        """All statuses, in STATUS_ORDER."""
        counts, total = count_by("status", self.stats.weekly), max(self.ledger.audience, 1)
        return [StatusCount(one, counts[one], counts[one] / total) for one in STATUS_ORDER]

    @cached_property
    def relays(self) -> list[RelayStats]:
        """By name; none before the first letter was handed over."""
        return stats_by_relay(self.stats.weekly)

    @property
    def done(self) -> int:
        """Letters with a final status."""
        return self.ledger.audience - self.ledger.still_to_send

    @property
    def share(self) -> float:
        """Of the audience, from 0 to 1."""
        return self.done / self.ledger.audience if self.ledger.audience else 0.0

    @property
    def percent(self) -> int:
        """Rounded down: 100 only once all are done."""
        return int(self.share * 100)

    @cached_property
    def rate(self) -> float:
        """Letters per second answered within RATE_WINDOW, or since the first one in it."""
        since = [one.first_recent for one in self.stats.weekly if one.first_recent]
        if not since:
            return 0.0
        seconds = (self.stats.at - min(since)).total_seconds()
        count = sum(one.recent for one in self.stats.weekly)
        return count / min(max(seconds, 1.0), RATE_WINDOW.total_seconds())

    @cached_property
    def ready_to_send(self) -> int:
        """Letters that wait only for a lane."""
        return self.ledger.still_to_send - self.waiting_for_retry

    @cached_property
    def waiting_for_retry(self) -> int:
        """Letters put off until a retry."""
        return count_by("status", self.stats.weekly)[DeliveryStatus.RETRY]

    @property
    def next_retry_at(self) -> dt.datetime | None:
        """When the first of those is due."""
        return min(
            (one.next_retry_at for one in self.stats.weekly if one.next_retry_at), default=None
        )

    @property
    def expected_end(self) -> dt.datetime | None:
        """When all will have been attempted, at this rate; None where unknown."""
        if self.mailing.status != MailingStatus.SENDING or not self.rate or not self.ready_to_send:
            return None
        return self.stats.at + dt.timedelta(seconds=self.ready_to_send / self.rate)

    @property
    def time_left(self) -> dt.timedelta | None:
        """Until the expected end."""
        return self.expected_end - self.stats.at if self.expected_end else None

    @property
    def is_stalled(self) -> bool:
        """Sending, with letters ready, and no answer within STALLED_AFTER."""
        answers = [one.last_answer for one in self.stats.weekly if one.last_answer]
        last = max([*answers, self.mailing.launched_at or self.stats.at])
        is_sending = self.mailing.status == MailingStatus.SENDING
        return is_sending and bool(self.ready_to_send) and self.stats.at - last > STALLED_AFTER


def stats_by_relay(groups: tuple[DeliveryGroup, ...]) -> list[RelayStats]:
    """Each relay that was attempted, by name."""
    names = sorted({one.relay for one in groups if one.relay})
    return [
        RelayStats(
            name, dict(count_by("status", tuple(one for one in groups if one.relay == name)))
        )
        for name in names
    ]
