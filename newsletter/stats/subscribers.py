"""Counts of the list, for staff who must not learn who is on it: small numbers are hidden."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, DateTimeField, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext_lazy as _

from newsletter.bounces.apply import DROPPED, QUARANTINED, counter_name
from newsletter.bounces.classify import ReportKind
from newsletter.models import (
    BounceKind,
    Departure,
    Edition,
    Manner,
    OutboxMail,
    Quota,
    SignUp,
    Subscriber,
    SubscriberStatus,
    WorkerQuota,
)
from newsletter.models.quotas import CONFIRMATIONS, DAY, HOUR, OVERFULL, TRAPPED, window_start
from newsletter.subscribers import sign_up

MIN_SHOWN_COUNT = 5
"""Smaller numbers, other than zero, could identify people."""
MONTHS_SHOWN = 12
MAIL_KIND_LABELS = {
    ReportKind.HARD.value: BounceKind.HARD.label,
    ReportKind.SOFT.value: BounceKind.SOFT.label,
    ReportKind.POLICY.value: BounceKind.POLICY.label,
    ReportKind.COMPLAINT.value: BounceKind.COMPLAINT.label,
    ReportKind.NOTICE.value: _("It comes later, or has come"),
    ReportKind.AUTO_REPLY.value: _("Answered by a machine"),
    QUARANTINED: _("Set aside for a person"),
    DROPPED: _("Dropped: too many were set aside"),
}
"""Kinds of mail at the return path."""


@dataclass(frozen=True)
class Cell:
    """A number that may be hidden."""

    count: int
    is_hidden: bool = False

    @property
    def at_most(self) -> int:
        """For a chart."""
        return MIN_SHOWN_COUNT - 1 if self.is_hidden else self.count


def hide_small(counts: list[int]) -> list[Cell]:
    """Hides small numbers; where that is only one, the next smallest too (secondary suppression).

    Their sum may be known elsewhere, and would reveal a single hidden one. Pure.
    """
    hidden = {place for place, count in enumerate(counts) if 0 < count < MIN_SHOWN_COUNT}
    if len(hidden) == 1:
        others = [place for place, count in enumerate(counts) if count and place not in hidden]
        hidden |= set(sorted(others, key=lambda place: counts[place])[:1])
    return [Cell(count, place in hidden) for place, count in enumerate(counts)]


@dataclass(frozen=True)
class EditionStatusCounts:
    """One edition's subscribers by status, in the order of SubscriberStatus."""

    edition: Edition
    cells: list[Cell]


def count_by_status() -> list[EditionStatusCounts]:
    """Every edition, in one query."""
    counts: dict[tuple[int, str], int] = {
        (edition, status): count
        for edition, status, count in Subscriber.objects.order_by()
        .values_list("edition", "status")
        .annotate(count=Count("pk"))
    }
    editions = list(Edition.objects.all())
    # By status: the sum over the editions may be known, for instance from a mailing's ledger.
    columns = [
        hide_small([counts.get((edition.pk, status), 0) for edition in editions])
        for status in SubscriberStatus
    ]
    return [
        EditionStatusCounts(edition, [column[place] for column in columns])
        for place, edition in enumerate(editions)
    ]


@dataclass(frozen=True)
class MonthlyCounts:
    """Confirmed and ended subscriptions of a month, by edition."""

    first: dt.date
    confirmed: list[Cell]
    ended: list[Cell]

    @property
    def cells(self) -> list[Cell]:
        """In the table's order: confirmed and ended of each edition."""
        return [cell for pair in zip(self.confirmed, self.ended, strict=True) for cell in pair]


def count_by_month(now: dt.datetime) -> list[MonthlyCounts]:
    """The last twelve months, oldest first; each edition in its order."""
    months = _months(now)
    since = dt.datetime.combine(months[0], dt.time(), dt.UTC)
    confirmed, ended = (_count_since(column, since) for column in ("confirmed_at", "ended_at"))
    editions = list(Edition.objects.values_list("pk", flat=True))
    return [
        MonthlyCounts(
            month,
            hide_small([confirmed[month, edition] for edition in editions]),
            hide_small([ended[month, edition] for edition in editions]),
        )
        for month in months
    ]


def _months(now: dt.datetime) -> list[dt.date]:
    year, month = now.year, now.month
    firsts = []
    for _place in range(MONTHS_SHOWN):
        firsts.append(dt.date(year, month, 1))
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return firsts[::-1]


def _count_since(column: str, since: dt.datetime) -> defaultdict[tuple[dt.date, int], int]:
    month = TruncMonth(column, output_field=DateTimeField(), tzinfo=dt.UTC)
    rows: Iterable[tuple[dt.datetime, int, int]] = (
        Subscriber.objects.filter(**{f"{column}__gte": since})
        .order_by()
        .annotate(month=month)
        .values_list("month", "edition")
        .annotate(count=Count("pk"))
    )
    found: defaultdict[tuple[dt.date, int], int] = defaultdict(int)
    for first, edition, count in rows:
        found[first.date(), edition] += count
    return found


@dataclass(frozen=True)
class ReturnedMailCount:
    """Mails of one kind at the return path."""

    label: str
    count: int


def count_returned_mail(now: dt.datetime) -> list[ReturnedMailCount]:
    """By kind, over the last seven days."""
    since = window_start(now, DAY) - 6 * DAY
    counts = dict(
        Quota.objects.filter(since__gte=since, what__startswith=counter_name(""))
        .order_by()
        .values_list("what")
        .annotate(count=Sum("count"))
    )
    return [
        ReturnedMailCount(str(label), counts.get(counter_name(kind), 0))
        for kind, label in MAIL_KIND_LABELS.items()
    ]


@dataclass(frozen=True)
class SignUpQueue:
    """Waiting sign-ups and confirmations, and their limits."""

    waiting: int
    rate_limited: int
    trapped_today: int
    overfull_today: int
    confirmations_waiting: int
    confirmations_this_hour: int
    confirmations_per_hour: int
    departures_pending: int
    is_full: bool
    max_waiting: int

    @property
    def is_over_hourly_limit(self) -> bool:
        return self.confirmations_this_hour >= self.confirmations_per_hour


def sign_up_queue(now: dt.datetime) -> SignUpQueue:
    """The current state."""
    sign_ups = SignUp.objects.aggregate(
        waiting=Count("pk"), rate_limited=Count("pk", filter=Q(manner=Manner.FAST))
    )
    return SignUpQueue(
        waiting=sign_ups["waiting"],
        rate_limited=sign_ups["rate_limited"],
        trapped_today=Quota.spent(TRAPPED, window_start(now, DAY)),
        overfull_today=Quota.spent(OVERFULL, window_start(now, DAY)),
        confirmations_waiting=OutboxMail.objects.confirmations().count(),
        is_full=sign_up.is_queue_full(),
        max_waiting=settings.MAX_PENDING_SIGN_UPS,
        confirmations_this_hour=WorkerQuota.spent(CONFIRMATIONS, window_start(now, HOUR)),
        confirmations_per_hour=settings.CONFIRMATIONS_PER_HOUR,
        departures_pending=Departure.objects.count(),
    )
