"""A mailing's report, in numbers alone: no subscriber, no address, no domain."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from newsletter.campaigns.lifecycle import Ledger
from newsletter.models import BounceKind, DeliveryReason, DeliveryStatus, Mailing
from newsletter.stats.counts import (
    AnswersPerMinute,
    DeliveryGroup,
    DeliveryStats,
    count_by,
    ledger_of,
)
from newsletter.stats.progress import RelayStats, stats_by_relay
from newsletter.stats.subscribers import Cell, hide_small
from newsletter.subscribers.addresses import OTHER_PROVIDER

MINUTE = dt.timedelta(minutes=1)
EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
"""A Monday, so that intervals begin at whole hours and days."""
INTERVAL_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
"""Possible lengths of one bar of the chart."""
MAX_INTERVALS = 48
CHARTED_SHARE = 0.99
"""The chart ends there: a few full mailboxes are retried for two days."""


@dataclass(frozen=True)
class Interval:
    """Letters answered in one bar of the chart."""

    begins_at: dt.datetime
    length: dt.timedelta
    sent: int
    not_sent: int

    @property
    def minutes(self) -> int:
        return int(self.length / MINUTE)

    @property
    def per_minute(self) -> float:
        return (self.sent + self.not_sent) / self.minutes


@dataclass(frozen=True)
class ReasonCount:
    """How many letters have a status for a reason."""

    status: DeliveryStatus
    reason: DeliveryReason
    count: int


@dataclass(frozen=True)
class ProviderStats:
    """The letters to one provider's mailboxes. Small numbers are hidden."""

    provider: str
    sent: Cell
    failed: Cell
    bounced: Cell

    @property
    def cells(self) -> tuple[Cell, ...]:
        """In the table's order."""
        return self.sent, self.failed, self.bounced


@dataclass(frozen=True)
class MailingReport:
    """As of `at`."""

    mailing: Mailing
    at: dt.datetime
    ledger: Ledger
    late: Ledger
    retried: int
    reasons: list[ReasonCount]
    providers: list[ProviderStats]
    relays: list[RelayStats]
    bounced: list[tuple[BounceKind, int]]
    intervals: list[Interval]
    answered_after_chart: int
    """Letters answered after the chart's end."""

    @property
    def took(self) -> dt.timedelta | None:
        """From its launch to its end, pauses included; None before it has ended."""
        begun, ended = self.mailing.launched_at, self.mailing.ended_at
        return ended - begun if begun and ended else None

    @property
    def fastest(self) -> Interval | None:
        return max(self.intervals, key=lambda one: one.per_minute, default=None)


def build_report(
    mailing: Mailing, stats: DeliveryStats, minutes: AnswersPerMinute
) -> MailingReport:
    """Pure."""
    intervals = split_into_intervals(minutes.counts)
    charted = sum(one.sent + one.not_sent for one in intervals)
    return MailingReport(
        mailing=mailing,
        at=stats.at,
        ledger=ledger_of(stats.weekly),
        late=ledger_of(stats.late),
        retried=sum(one.retried for one in stats.weekly),
        reasons=_reasons(stats),
        providers=_providers(stats),
        relays=stats_by_relay(stats.weekly),
        bounced=_bounces(stats),
        intervals=intervals,
        answered_after_chart=sum(count for _minute, _status, count in minutes.counts) - charted,
    )


def split_into_intervals(counts: Sequence[tuple[dt.datetime, str, int]]) -> list[Interval]:
    """From the first answer until CHARTED_SHARE, in equal lengths without gaps. Pure."""
    if not counts:
        return []
    first, last = counts[0][0], _chart_end(counts)
    total = int((last - first) / MINUTE) + 1
    minutes = next(
        (one for one in INTERVAL_MINUTES if total <= one * MAX_INTERVALS), INTERVAL_MINUTES[-1]
    )
    length = minutes * MINUTE
    start = first - (first - EPOCH) % length
    sent, not_sent = Counter[int](), Counter[int]()
    for minute, status, count in counts:
        place = (minute - start) // length
        (sent if status == DeliveryStatus.SENT else not_sent)[place] += count
    return [
        Interval(start + place * length, length, sent[place], not_sent[place])
        for place in range((last - start) // length + 1)
    ]


def _chart_end(counts: Sequence[tuple[dt.datetime, str, int]]) -> dt.datetime:
    """The minute by which CHARTED_SHARE were answered."""
    enough, so_far = sum(count for *_rest, count in counts) * CHARTED_SHARE, 0
    for minute, _status, count in counts:
        so_far += count
        if so_far >= enough:
            return minute
    return counts[-1][0]


def _reasons(stats: DeliveryStats) -> list[ReasonCount]:
    """Why letters were not sent, or not yet; the most frequent reason first."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in stats.weekly:
        if one.reason and one.status != DeliveryStatus.SENT:
            counts[one.status, one.reason] += one.count
    return [
        ReasonCount(DeliveryStatus(status), DeliveryReason(reason), count)
        for (status, reason), count in counts.most_common()
    ]


def _providers(stats: DeliveryStats) -> list[ProviderStats]:
    """By name, "other" last."""
    names = sorted(
        count_by("provider", stats.weekly), key=lambda name: (name == OTHER_PROVIDER, name)
    )
    columns = [
        hide_small([counts[name] for name in names])
        for counts in (
            count_by("provider", _only(stats, lambda one: one.status == DeliveryStatus.SENT)),
            count_by("provider", _only(stats, lambda one: one.status == DeliveryStatus.FAILED)),
            count_by("provider", _only(stats, lambda one: one.bounce != BounceKind.NONE)),
        )
    ]
    return [ProviderStats(name, *cells) for name, *cells in zip(names, *columns, strict=True)]


def _only(
    stats: DeliveryStats, which: Callable[[DeliveryGroup], bool]
) -> tuple[DeliveryGroup, ...]:
    return tuple(one for one in stats.weekly if which(one))


def _bounces(stats: DeliveryStats) -> list[tuple[BounceKind, int]]:
    """Letters that bounced after a relay had accepted them, late ones included, by kind."""
    counts = count_by("bounce", stats.groups)
    return [(kind, counts[kind]) for kind in BounceKind if kind and counts[kind]]


# --- For a terminal ------------------------------------------------------------------

MAX_BAR_LENGTH = 40
"""Characters."""


def report_as_lines(report: MailingReport) -> Iterator[str]:
    """In English, as all output of commands."""
    mailing = report.mailing
    for name, at in (
        ("Due", mailing.due_at),
        ("Launched", mailing.launched_at),
        ("Ended", mailing.ended_at),
    ):
        yield f"{name:<9} {at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" if at else f"{name:<9} –"
    if report.took is not None:
        yield f"{'Took':<9} {dt.timedelta(seconds=round(report.took.total_seconds()))}"
    if report.late.audience:
        yield f"To late subscribers: {report.late.sent} of {report.late.audience} sent"
    if report.retried:
        yield f"Retried: {report.retried}"
    yield from _table(
        "Not sent, or not at the first attempt",
        ((f"{one.status.label}: {one.reason.label}", one.count) for one in report.reasons),
    )
    yield from _table(
        "Bounced after a relay had accepted them",
        ((str(kind.label), count) for kind, count in report.bounced),
    )
    for provider in report.providers:
        sent, failed, bounced = (
            "(few)" if cell.is_hidden else str(cell.count) for cell in provider.cells
        )
        yield f"Provider {provider.provider}: sent {sent}, failed {failed}, bounced {bounced}"
    for relay in report.relays:
        counts = ", ".join(f"{status} {count}" for status, count in sorted(relay.counts.items()))
        yield f"Relay {relay.relay}: {counts}"
    yield from _as_chart(report)


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    found = [f"  {count:>9} {name}" for name, count in rows]
    if found:
        yield f"{title}:"
        yield from found


def _as_chart(report: MailingReport) -> Iterator[str]:
    if report.fastest is None:
        return
    yield "Letters answered per minute (UTC):"
    for one in report.intervals:
        length = one.per_minute / report.fastest.per_minute * MAX_BAR_LENGTH
        yield f"  {one.begins_at:%d %b %H:%M} {one.per_minute:>9.0f} {'█' * math.ceil(length)}"
    if report.answered_after_chart:
        yield f"  later, after a retry: {report.answered_after_chart}"


# --- As data -------------------------------------------------------------------------


def report_as_data(report: MailingReport) -> dict[str, Any]:
    """As JSON, with stable keys: times in UTC (ISO 8601), null where unknown."""
    mailing, took = report.mailing, report.took
    return {
        "mailing": mailing.pk,
        "week": str(mailing.digest.week),
        "edition": mailing.edition.code,
        "status": mailing.status,
        "at": _utc(report.at),
        "due_at": _utc(mailing.due_at),
        "launched_at": _utc(mailing.launched_at),
        "ended_at": _utc(mailing.ended_at),
        "seconds": took.total_seconds() if took is not None else None,
        "ledger": asdict(report.ledger),
        "late_readers": asdict(report.late),
        "tried_again": report.retried,
        "reasons": [
            {"status": one.status.value, "reason": one.reason.value, "count": one.count}
            for one in report.reasons
        ],
        "providers": [
            {
                "provider": one.provider,
                "sent": _shown(one.sent),
                "failed": _shown(one.failed),
                "came_back": _shown(one.bounced),
            }
            for one in report.providers
        ],
        "relays": [{"relay": one.relay, **one.counts} for one in report.relays],
        "came_back": {kind.value: count for kind, count in report.bounced},
        "stretches": [
            {
                "begins_at": _utc(one.begins_at),
                "minutes": one.minutes,
                "sent": one.sent,
                "not_sent": one.not_sent,
            }
            for one in report.intervals
        ],
        "after_the_stretches": report.answered_after_chart,
    }


def _utc(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds") if at else None


def _shown(cell: Cell) -> int | None:
    return None if cell.is_hidden else cell.count
