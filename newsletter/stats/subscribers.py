"""How many readers there are, for people who must not learn who: small numbers are hidden."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, DateTimeField, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext_lazy as _

from newsletter.bounces.apply import SET_ASIDE, TOO_MANY, counter
from newsletter.bounces.classify import Verdict
from newsletter.models import (
    BounceKind,
    Departure,
    Edition,
    Manner,
    OutboxMail,
    SignUp,
    Spending,
    Subscriber,
    SubscriberStatus,
    WorkerQuota,
)
from newsletter.models.quotas import CONFIRMATIONS, DAY, HOUR, OVERFULL, TRAPPED, window_start
from newsletter.subscribers import sign_up

SMALL = 5
"""A number below this, other than none, could be told apart as persons."""
MONTHS = 12
KINDS = {
    Verdict.HARD.value: BounceKind.HARD.label,
    Verdict.SOFT.value: BounceKind.SOFT.label,
    Verdict.POLICY.value: BounceKind.POLICY.label,
    Verdict.COMPLAINT.value: BounceKind.COMPLAINT.label,
    Verdict.NOTICE.value: _("It comes later, or has come"),
    Verdict.AUTO_REPLY.value: _("Answered by a machine"),
    SET_ASIDE: _("Set aside for a person"),
    TOO_MANY: _("Dropped: too many were set aside"),
}
"""What comes to the address for bounces."""


@dataclass(frozen=True)
class Cell:
    """One number that may be shown, or must not."""

    count: int
    is_hidden: bool = False

    @property
    def at_most(self) -> int:
        """What a chart may draw of it."""
        return SMALL - 1 if self.is_hidden else self.count


def hide_small(counts: list[int]) -> list[Cell]:
    """Hides what is small, and where that is one alone, the next smallest too.

    For numbers whose sum is known elsewhere: it would tell the only hidden one. Pure.
    """
    hidden = {place for place, count in enumerate(counts) if 0 < count < SMALL}
    if len(hidden) == 1:
        others = [place for place, count in enumerate(counts) if count and place not in hidden]
        hidden |= set(sorted(others, key=lambda place: counts[place])[:1])
    return [Cell(count, place in hidden) for place, count in enumerate(counts)]


@dataclass(frozen=True)
class ByStatus:
    """One edition's readers by status, in the order of SubscriberStatus."""

    edition: Edition
    cells: list[Cell]


def by_status() -> list[ByStatus]:
    """Every edition, in one query."""
    counts: dict[tuple[int, str], int] = {
        (edition, status): count
        for edition, status, count in Subscriber.objects.order_by()
        .values_list("edition", "status")
        .annotate(count=Count("pk"))
    }
    editions = list(Edition.objects.all())
    # Along a status the sum over the editions can be known, from a mailing's ledger for one.
    columns = [
        hide_small([counts.get((edition.pk, status), 0) for edition in editions])
        for status in SubscriberStatus
    ]
    return [
        ByStatus(edition, [column[place] for column in columns])
        for place, edition in enumerate(editions)
    ]


@dataclass(frozen=True)
class Month:
    """Who came and who went, by edition."""

    first: dt.date
    came: list[Cell]
    went: list[Cell]

    @property
    def cells(self) -> list[Cell]:
        """As a table has them: each edition's came and went side by side."""
        return [cell for pair in zip(self.came, self.went, strict=True) for cell in pair]


def by_month(now: dt.datetime) -> list[Month]:
    """The last twelve months, oldest first; each edition in its order."""
    months = _months(now)
    since = dt.datetime.combine(months[0], dt.time(), dt.UTC)
    came, went = (_counted(column, since) for column in ("confirmed_at", "ended_at"))
    editions = list(Edition.objects.values_list("pk", flat=True))
    return [
        Month(
            month,
            hide_small([came[month, edition] for edition in editions]),
            hide_small([went[month, edition] for edition in editions]),
        )
        for month in months
    ]


def _months(now: dt.datetime) -> list[dt.date]:
    year, month = now.year, now.month
    firsts = []
    for _place in range(MONTHS):
        firsts.append(dt.date(year, month, 1))
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    return firsts[::-1]


def _counted(column: str, since: dt.datetime) -> defaultdict[tuple[dt.date, int], int]:
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
class CameBack:
    """How many mails of a kind came to the return path lately."""

    label: str
    count: int


def came_back(now: dt.datetime) -> list[CameBack]:
    """In the last seven days, each kind of mail at the address for bounces."""
    since = window_start(now, DAY) - 6 * DAY
    counts = dict(
        Spending.objects.filter(since__gte=since, what__startswith=counter(""))
        .order_by()
        .values_list("what")
        .annotate(count=Sum("count"))
    )
    return [CameBack(str(label), counts.get(counter(kind), 0)) for kind, label in KINDS.items()]


@dataclass(frozen=True)
class Intake:
    """What stands at the door, for whoever has to know that it is kept."""

    waiting: int
    came_fast: int
    trapped_today: int
    overfull_today: int
    confirmations_waiting: int
    confirmations_this_hour: int
    confirmations_an_hour: int
    departures_unwritten: int
    is_full: bool
    most_waiting: int

    @property
    def is_over_budget(self) -> bool:
        return self.confirmations_this_hour >= self.confirmations_an_hour


def intake(now: dt.datetime) -> Intake:
    """Sign-ups that no worker has seen, and mails that are due."""
    sign_ups = SignUp.objects.aggregate(
        waiting=Count("pk"), came_fast=Count("pk", filter=Q(manner=Manner.FAST))
    )
    return Intake(
        waiting=sign_ups["waiting"],
        came_fast=sign_ups["came_fast"],
        trapped_today=Spending.spent(TRAPPED, window_start(now, DAY)),
        overfull_today=Spending.spent(OVERFULL, window_start(now, DAY)),
        confirmations_waiting=OutboxMail.objects.confirmations().count(),
        is_full=sign_up.is_full(),
        most_waiting=settings.MAX_WAITING_SIGN_UPS,
        confirmations_this_hour=WorkerQuota.spent(CONFIRMATIONS, window_start(now, HOUR)),
        confirmations_an_hour=settings.CONFIRMATIONS_PER_HOUR,
        departures_unwritten=Departure.objects.count(),
    )
