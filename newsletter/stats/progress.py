"""How far a mailing is, and how fast: the same figures for the admin and for a terminal."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from newsletter.campaigns.lifecycle import Ledger
from newsletter.models import DeliveryStatus, Mailing, MailingStatus
from newsletter.models.deliveries import IN_FLIGHT
from newsletter.stats.counts import LATELY, Alike, Tally, by, ledger_of

FROM_DONE_TO_WAITING = (
    DeliveryStatus.SENT,
    DeliveryStatus.FAILED,
    DeliveryStatus.UNCERTAIN,
    DeliveryStatus.EXCLUDED,
    DeliveryStatus.HANDED_OVER,
    DeliveryStatus.CLAIMED,
    DeliveryStatus.RETRY,
    DeliveryStatus.PENDING,
)


STANDS_STILL_AFTER = dt.timedelta(minutes=3)
"""Longer than a lost connection costs until the next tick."""


@dataclass(frozen=True)
class State:
    """How many letters are in one state."""

    status: DeliveryStatus
    count: int
    share: float
    """Of all, from 0 to 1."""

    @property
    def percent(self) -> float:
        return self.share * 100


@dataclass(frozen=True)
class ByRelay:
    """What became of the letters that one relay was asked to take last."""

    relay: str
    counts: dict[str, int]

    @property
    def ledger(self) -> Ledger:
        return Ledger.of(self.counts)

    @property
    def waiting(self) -> int:
        """To be tried again."""
        return self.counts.get(DeliveryStatus.RETRY, 0)

    @property
    def in_flight(self) -> int:
        return sum(self.counts.get(status, 0) for status in IN_FLIGHT)


@dataclass(frozen=True)
class Progress:
    """A mailing at a moment."""

    mailing: Mailing
    tally: Tally

    @cached_property
    def ledger(self) -> Ledger:
        return ledger_of(self.tally.weekly)

    @cached_property
    def late(self) -> Ledger:
        """Of who confirmed after the launch."""
        return ledger_of(self.tally.late)

    @cached_property
    def states(self) -> list[State]:
        """Every state: what is done first, and what has not begun last."""
        counts, most = by("status", self.tally.weekly), max(self.ledger.audience, 1)
        return [State(one, counts[one], counts[one] / most) for one in FROM_DONE_TO_WAITING]

    @cached_property
    def relays(self) -> list[ByRelay]:
        """By name; none before the first letter was handed over."""
        return by_relay(self.tally.weekly)

    @property
    def done(self) -> int:
        """Letters that nothing more is done about."""
        return self.ledger.audience - self.ledger.still_to_send

    @property
    def share(self) -> float:
        """Of all that are to go, from 0 to 1."""
        return self.done / self.ledger.audience if self.ledger.audience else 0.0

    @property
    def percent(self) -> int:
        """Full hundreds only once all is done."""
        return int(self.share * 100)

    @cached_property
    def rate(self) -> float:
        """Letters a second that were answered within the last minute, or since it went on."""
        since = [one.first_lately for one in self.tally.weekly if one.first_lately]
        if not since:
            return 0.0
        seconds = (self.tally.at - min(since)).total_seconds()
        count = sum(one.lately for one in self.tally.weekly)
        return count / min(max(seconds, 1.0), LATELY.total_seconds())

    @cached_property
    def at_once(self) -> int:
        """Letters that wait for nothing but a lane."""
        return self.ledger.still_to_send - self.tried_again_later

    @cached_property
    def tried_again_later(self) -> int:
        """Letters that wait for their next try."""
        return by("status", self.tally.weekly)[DeliveryStatus.RETRY]

    @property
    def next_try(self) -> dt.datetime | None:
        """When the first of those is due."""
        return min((one.next_try for one in self.tally.weekly if one.next_try), default=None)

    @property
    def done_at(self) -> dt.datetime | None:
        """When all will have been tried, at this rate; None where nothing can be said."""
        if self.mailing.status != MailingStatus.SENDING or not self.rate or not self.at_once:
            return None
        return self.tally.at + dt.timedelta(seconds=self.at_once / self.rate)

    @property
    def left(self) -> dt.timedelta | None:
        """Until then."""
        return self.done_at - self.tally.at if self.done_at else None

    @property
    def stands_still(self) -> bool:
        """It is being sent, letters could leave, and for minutes none has been answered."""
        answers = [one.last_answer for one in self.tally.weekly if one.last_answer]
        moved = max([*answers, self.mailing.launched_at or self.tally.at])
        is_sending = self.mailing.status == MailingStatus.SENDING
        return is_sending and bool(self.at_once) and self.tally.at - moved > STANDS_STILL_AFTER


def by_relay(alike: tuple[Alike, ...]) -> list[ByRelay]:
    """Each relay that letters were handed to, by name."""
    names = sorted({one.relay for one in alike if one.relay})
    return [
        ByRelay(name, dict(by("status", tuple(one for one in alike if one.relay == name))))
        for name in names
    ]
