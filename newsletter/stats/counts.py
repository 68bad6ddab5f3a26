"""A mailing's deliveries counted: what its page, its report and a terminal show.

No index helps to count all rows of a mailing, and one on `settled_at` would make each letter
dearer. So the ledger is read once for all that is to be known, and the answer is used for so long
that reading takes no more than a small share of the time, however many look on.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import Count, DateTimeField, Max, Min, Q
from django.db.models.functions import TruncMinute
from redis.exceptions import RedisError

from newsletter.campaigns.lifecycle import Ledger
from newsletter.models import Delivery, DeliveryKind, DeliveryStatus, Mailing

Clock = Callable[[], dt.datetime]
LATELY = dt.timedelta(minutes=1)
"""Over which the rate is taken."""
SHARE = 25
"""An answer is used for so many times the time that it took: 4 % of the time goes into reading."""
GOOD_FOR = dt.timedelta(seconds=2)
"""And at least for so long."""
FORGOTTEN_AFTER = 3
"""Times so long: nobody is told an older one while another counts."""
ANSWERED = (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.UNCERTAIN)
"""A relay was asked, and is not asked again."""


@dataclass(frozen=True)
class Reading:
    """What was read of the ledger at a moment, and how long that took."""

    at: dt.datetime
    took: dt.timedelta

    @property
    def good_for(self) -> dt.timedelta:
        return max(self.took * SHARE, GOOD_FOR)

    def is_good_at(self, now: dt.datetime) -> bool:
        """Not if it was made under a clock that has been put back since."""
        return self.at <= now < self.at + self.good_for


@dataclass(frozen=True)
class Alike:
    """How many deliveries have all of this in common."""

    kind: str
    status: str
    reason: str
    provider: str
    relay: str
    bounce: str
    count: int
    tried_again: int
    """Of them after a first try that did not end it."""
    lately: int
    """Of them answered within the last minute."""
    first_lately: dt.datetime | None
    last_answer: dt.datetime | None
    next_try: dt.datetime | None


@dataclass(frozen=True)
class Tally(Reading):
    """All deliveries of a mailing."""

    alike: tuple[Alike, ...]

    @property
    def weekly(self) -> tuple[Alike, ...]:
        """To the readers whom the mailing was launched for."""
        return tuple(one for one in self.alike if one.kind == DeliveryKind.WEEKLY)

    @property
    def late(self) -> tuple[Alike, ...]:
        """To who confirmed after the launch."""
        return tuple(one for one in self.alike if one.kind == DeliveryKind.LATEST)


@dataclass(frozen=True)
class Minutes(Reading):
    """How many weekly letters were answered in which minute, and how; in order."""

    counts: tuple[tuple[dt.datetime, str, int], ...]


def by(column: str, alike: tuple[Alike, ...]) -> Counter[str]:
    """How many there are of each of the column's values."""
    counts: Counter[str] = Counter()
    for one in alike:
        counts[getattr(one, column)] += one.count
    return counts


def ledger_of(alike: tuple[Alike, ...]) -> Ledger:
    """What became of them."""
    return Ledger.of(by("status", alike))


def count(mailing: Mailing, clock: Clock) -> Tally:
    """Reads every row of the mailing's once."""
    now = clock()
    # What was settled under a clock that ran ahead is not of the last minute for a day.
    within = Q(settled_at__gt=now - LATELY, settled_at__lt=now + LATELY)
    lately = within & Q(status__in=ANSWERED)
    rows: Any = (
        Delivery.objects.of_mailing(mailing)
        .order_by()
        .values("kind", "status", "reason", "provider", "relay", "bounce")
        .annotate(
            count=Count("pk"),
            tried_again=Count("pk", filter=Q(attempts__gt=1)),
            lately=Count("pk", filter=lately),
            first_lately=Min("settled_at", filter=lately),
            last_answer=Max("settled_at", filter=Q(status__in=ANSWERED)),
            next_try=Min("due_at", filter=Q(status=DeliveryStatus.RETRY)),
        )
    )
    alike = tuple(Alike(**row) for row in rows)
    return Tally(now, clock() - now, alike)


def count_minutes(mailing: Mailing, clock: Clock) -> Minutes:
    """Reads every row of the mailing's once."""
    now = clock()
    minute = TruncMinute("settled_at", output_field=DateTimeField(), tzinfo=dt.UTC)
    rows: Any = (
        Delivery.objects.of_mailing(mailing)
        .weekly()
        .filter(status__in=ANSWERED, settled_at__isnull=False)
        .order_by()
        .annotate(minute=minute)
        .values_list("minute", "status")
        .annotate(count=Count("pk"))
        .order_by("minute", "status")
    )
    counts = tuple(rows)
    return Minutes(now, clock() - now, counts)


Read = TypeVar("Read", bound=Reading)


def recent(mailing: Mailing, clock: Clock, read: Callable[[Mailing, Clock], Read]) -> Read:
    """The last reading while it is good; of several who ask for the next, one reads and the
    others are told the last. In another state the mailing is read anew at once."""
    launched = mailing.launched_at.timestamp() if mailing.launched_at else 0
    key = f"{read.__name__}:{mailing.pk}:{launched}:{mailing.status}"
    try:
        known: Read | None = cache.get(key)
        if known is not None and known.is_good_at(clock()):
            return known
        if known is not None and not cache.add(f"{key}:reading", 1, _seconds(known)):
            return known
        found = read(mailing, clock)
        cache.set(key, found, _seconds(found))
        cache.delete(f"{key}:reading")
    except RedisError:
        # The broker is away, and the page that says so must not be.
        return read(mailing, clock)
    return found


def _seconds(reading: Reading) -> int:
    return math.ceil(reading.good_for.total_seconds() * FORGOTTEN_AFTER)
