"""Counts a mailing's deliveries, for its admin page, its report and the terminal.

No index helps to count all rows of a mailing, and one on `settled_at` would slow down each letter.
So one query reads all counts, and the result is cached in proportion to the time it took, however
many pages show it.
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
RATE_WINDOW = dt.timedelta(minutes=1)
"""Over which the rate is measured."""
CACHE_COST_FACTOR = 25
"""The TTL is so many times the query's duration, so that queries take 4 % of the time."""
MIN_CACHE_TTL = dt.timedelta(seconds=2)
CACHE_EXPIRY_FACTOR = 3
"""Stale counts are served for so many TTLs, while another process counts."""
ANSWERED = (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.UNCERTAIN)
"""Attempted, and not to be retried."""


@dataclass(frozen=True)
class LedgerSnapshot:
    """When the ledger was read, and how long that took."""

    at: dt.datetime
    took: dt.timedelta

    @property
    def cache_ttl(self) -> dt.timedelta:
        return max(self.took * CACHE_COST_FACTOR, MIN_CACHE_TTL)

    def is_fresh(self, now: dt.datetime) -> bool:
        """False, too, if the clock has been set back since."""
        return self.at <= now < self.at + self.cache_ttl


@dataclass(frozen=True)
class DeliveryGroup:
    """How many deliveries share these values."""

    kind: str
    status: str
    reason: str
    provider: str
    relay: str
    bounce: str
    count: int
    retried: int
    """Of them attempted more than once."""
    recent: int
    """Of them answered within RATE_WINDOW."""
    first_recent: dt.datetime | None
    last_answer: dt.datetime | None
    next_retry_at: dt.datetime | None


@dataclass(frozen=True)
class DeliveryStats(LedgerSnapshot):
    """All deliveries of a mailing."""

    groups: tuple[DeliveryGroup, ...]

    @property
    def weekly(self) -> tuple[DeliveryGroup, ...]:
        """To the audience at the launch."""
        return tuple(one for one in self.groups if one.kind == DeliveryKind.WEEKLY)

    @property
    def late(self) -> tuple[DeliveryGroup, ...]:
        """To subscribers who confirmed after the launch."""
        return tuple(one for one in self.groups if one.kind == DeliveryKind.LATEST)


@dataclass(frozen=True)
class AnswersPerMinute(LedgerSnapshot):
    """Weekly letters answered per minute and status, in order."""

    counts: tuple[tuple[dt.datetime, str, int], ...]


def count_by(column: str, groups: tuple[DeliveryGroup, ...]) -> Counter[str]:
    """Totals for each value of the column."""
    counts: Counter[str] = Counter()
    for one in groups:
        counts[getattr(one, column)] += one.count
    return counts


def ledger_of(groups: tuple[DeliveryGroup, ...]) -> Ledger:
    """Totals by status."""
    return Ledger.of(count_by("status", groups))


def count(mailing: Mailing, clock: Clock) -> DeliveryStats:
    """Scans every delivery of the mailing once."""
    now = clock()
    # The upper bound excludes rows from while the clock ran ahead.
    within = Q(settled_at__gt=now - RATE_WINDOW, settled_at__lt=now + RATE_WINDOW)
    is_recent = within & Q(status__in=ANSWERED)
    rows: Any = (
        Delivery.objects.of_mailing(mailing)
        .order_by()
        .values("kind", "status", "reason", "provider", "relay", "bounce")
        .annotate(
            count=Count("pk"),
            retried=Count("pk", filter=Q(attempts__gt=1)),
            recent=Count("pk", filter=is_recent),
            first_recent=Min("settled_at", filter=is_recent),
            last_answer=Max("settled_at", filter=Q(status__in=ANSWERED)),
            next_retry_at=Min("due_at", filter=Q(status=DeliveryStatus.RETRY)),
        )
    )
    groups = tuple(DeliveryGroup(**row) for row in rows)
    return DeliveryStats(now, clock() - now, groups)


def count_answers_per_minute(mailing: Mailing, clock: Clock) -> AnswersPerMinute:
    """Scans every delivery of the mailing once."""
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
    return AnswersPerMinute(now, clock() - now, counts)


Read = TypeVar("Read", bound=LedgerSnapshot)


def cached_stats(mailing: Mailing, clock: Clock, read: Callable[[Mailing, Clock], Read]) -> Read:
    """The cached result while it is fresh; then one process reads, and others get the stale one.

    A change of the mailing's status invalidates it.
    """
    launched = mailing.launched_at.timestamp() if mailing.launched_at else 0
    key = f"{read.__name__}:{mailing.pk}:{launched}:{mailing.status}"
    try:
        known: Read | None = cache.get(key)
        if known is not None and known.is_fresh(clock()):
            return known
        if known is not None and not cache.add(f"{key}:reading", 1, _seconds(known)):
            return known
        found = read(mailing, clock)
        cache.set(key, found, _seconds(found))
        cache.delete(f"{key}:reading")
    except RedisError:
        # The cache's Redis is down; the page must still say so.
        return read(mailing, clock)
    return found


def _seconds(snapshot: LedgerSnapshot) -> int:
    return math.ceil(snapshot.cache_ttl.total_seconds() * CACHE_EXPIRY_FACTOR)
