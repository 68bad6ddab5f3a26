"""What became of a mailing, in numbers alone: no reader, no address, no domain."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from newsletter.campaigns.lifecycle import Ledger
from newsletter.models import BounceKind, DeliveryStatus, Mailing, Reason
from newsletter.stats.counts import Alike, Minutes, Tally, by, ledger_of
from newsletter.stats.progress import ByRelay, by_relay
from newsletter.stats.subscribers import Cell, hide_small
from newsletter.subscribers.addresses import OTHER_PROVIDER

MINUTE = dt.timedelta(minutes=1)
EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
"""A Monday, from which stretches are counted, so that they begin at whole hours and days."""
LENGTHS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
"""Minutes that one bar of the chart may stand for."""
MOST_STRETCHES = 48
NEARLY_ALL = 0.99
"""The chart ends once so many are answered: a few full mailboxes are tried for two days."""


@dataclass(frozen=True)
class Stretch:
    """What was answered in a stretch of time."""

    begins_at: dt.datetime
    length: dt.timedelta
    sent: int
    not_sent: int

    @property
    def minutes(self) -> int:
        """How long it is."""
        return int(self.length / MINUTE)

    @property
    def a_minute(self) -> float:
        """Letters answered a minute."""
        return (self.sent + self.not_sent) / self.minutes


@dataclass(frozen=True)
class Why:
    """How many letters are in a state for a reason."""

    status: DeliveryStatus
    reason: Reason
    count: int


@dataclass(frozen=True)
class ByProvider:
    """What became of the letters to one provider's mailboxes. Small numbers are hidden."""

    provider: str
    sent: Cell
    failed: Cell
    came_back: Cell

    @property
    def cells(self) -> tuple[Cell, ...]:
        """As a table has them."""
        return self.sent, self.failed, self.came_back


@dataclass(frozen=True)
class Report:
    """A mailing's, as of `at`."""

    mailing: Mailing
    at: dt.datetime
    ledger: Ledger
    late: Ledger
    tried_again: int
    why: list[Why]
    providers: list[ByProvider]
    relays: list[ByRelay]
    came_back: list[tuple[BounceKind, int]]
    stretches: list[Stretch]
    after_the_chart: int
    """Letters that were answered later than the chart shows."""

    @property
    def took(self) -> dt.timedelta | None:
        """From its launch to its end, pauses included; None before it has ended."""
        begun, ended = self.mailing.launched_at, self.mailing.ended_at
        return ended - begun if begun and ended else None

    @property
    def fastest(self) -> Stretch | None:
        return max(self.stretches, key=lambda one: one.a_minute, default=None)


def report(mailing: Mailing, tally: Tally, minutes: Minutes) -> Report:
    """Made of what was read. Pure."""
    stretches = in_stretches(minutes.counts)
    shown = sum(one.sent + one.not_sent for one in stretches)
    return Report(
        mailing=mailing,
        at=tally.at,
        ledger=ledger_of(tally.weekly),
        late=ledger_of(tally.late),
        tried_again=sum(one.tried_again for one in tally.weekly),
        why=_why(tally),
        providers=_providers(tally),
        relays=by_relay(tally.weekly),
        came_back=_came_back(tally),
        stretches=stretches,
        after_the_chart=sum(count for _minute, _status, count in minutes.counts) - shown,
    )


def in_stretches(counts: Sequence[tuple[dt.datetime, str, int]]) -> list[Stretch]:
    """From the first answer until nearly all were there, in equal lengths without a gap. Pure."""
    if not counts:
        return []
    first, last = counts[0][0], _nearly_all_at(counts)
    whole = int((last - first) / MINUTE) + 1
    length = next((one for one in LENGTHS if whole <= one * MOST_STRETCHES), LENGTHS[-1]) * MINUTE
    began = first - (first - EPOCH) % length
    sent, not_sent = Counter[int](), Counter[int]()
    for minute, status, count in counts:
        place = (minute - began) // length
        (sent if status == DeliveryStatus.SENT else not_sent)[place] += count
    ends = (last - began) // length
    return [
        Stretch(began + place * length, length, sent[place], not_sent[place])
        for place in range(ends + 1)
    ]


def _nearly_all_at(counts: Sequence[tuple[dt.datetime, str, int]]) -> dt.datetime:
    """The minute by which so many were answered that the others need no chart."""
    enough, so_far = sum(count for *_rest, count in counts) * NEARLY_ALL, 0
    for minute, _status, count in counts:
        so_far += count
        if so_far >= enough:
            return minute
    return counts[-1][0]


def _why(tally: Tally) -> list[Why]:
    """Why letters did not go, or not yet; the most frequent reason first."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in tally.weekly:
        if one.reason and one.status != DeliveryStatus.SENT:
            counts[one.status, one.reason] += one.count
    return [
        Why(DeliveryStatus(status), Reason(reason), count)
        for (status, reason), count in counts.most_common()
    ]


def _providers(tally: Tally) -> list[ByProvider]:
    """By name, and the unnamed ones last."""
    names = sorted(by("provider", tally.weekly), key=lambda name: (name == OTHER_PROVIDER, name))
    columns = [
        hide_small([counts[name] for name in names])
        for counts in (
            by("provider", _only(tally, lambda one: one.status == DeliveryStatus.SENT)),
            by("provider", _only(tally, lambda one: one.status == DeliveryStatus.FAILED)),
            by("provider", _only(tally, lambda one: one.bounce != BounceKind.NONE)),
        )
    ]
    return [ByProvider(name, *cells) for name, *cells in zip(names, *columns, strict=True)]


def _only(tally: Tally, which: Callable[[Alike], bool]) -> tuple[Alike, ...]:
    return tuple(one for one in tally.weekly if which(one))


def _came_back(tally: Tally) -> list[tuple[BounceKind, int]]:
    """How many letters came back after a relay had taken them, late ones included, by kind."""
    counts = by("bounce", tally.alike)
    return [(kind, counts[kind]) for kind in BounceKind if kind and counts[kind]]


# --- For a terminal ------------------------------------------------------------------

BAR = 40
"""Characters of the longest bar."""


def as_lines(report: Report) -> Iterator[str]:
    """In English, as all that commands say."""
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
        yield f"To late readers: {report.late.sent} of {report.late.audience} sent"
    if report.tried_again:
        yield f"Needed more than one try: {report.tried_again}"
    yield from _table(
        "Why letters did not go, or not at once",
        ((f"{one.status.label}: {one.reason.label}", one.count) for one in report.why),
    )
    yield from _table(
        "Came back after a relay had taken them",
        ((str(kind.label), count) for kind, count in report.came_back),
    )
    for provider in report.providers:
        sent, failed, back = (
            "(few)" if cell.is_hidden else str(cell.count) for cell in provider.cells
        )
        yield f"Provider {provider.provider}: sent {sent}, failed {failed}, came back {back}"
    for relay in report.relays:
        counts = ", ".join(f"{status} {count}" for status, count in sorted(relay.counts.items()))
        yield f"Relay {relay.relay}: {counts}"
    yield from _as_chart(report)


def _table(title: str, rows: Iterable[tuple[str, int]]) -> Iterator[str]:
    found = [f"  {count:>9} {name}" for name, count in rows]
    if found:
        yield f"{title}:"
        yield from found


def _as_chart(report: Report) -> Iterator[str]:
    if report.fastest is None:
        return
    yield "Letters answered, a minute (UTC):"
    for one in report.stretches:
        length = one.a_minute / report.fastest.a_minute * BAR
        yield f"  {one.begins_at:%d %b %H:%M} {one.a_minute:>9.0f} {'█' * math.ceil(length)}"
    if report.after_the_chart:
        yield f"  later, after another try: {report.after_the_chart}"


# --- As data -------------------------------------------------------------------------


def as_data(report: Report) -> dict[str, Any]:
    """For programs: the names stay as they are, times are UTC in ISO 8601, None is unknown."""
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
        "tried_again": report.tried_again,
        "reasons": [
            {"status": one.status.value, "reason": one.reason.value, "count": one.count}
            for one in report.why
        ],
        "providers": [
            {
                "provider": one.provider,
                "sent": _shown(one.sent),
                "failed": _shown(one.failed),
                "came_back": _shown(one.came_back),
            }
            for one in report.providers
        ],
        "relays": [{"relay": one.relay, **one.counts} for one in report.relays],
        "came_back": {kind.value: count for kind, count in report.came_back},
        "stretches": [
            {
                "begins_at": _utc(one.begins_at),
                "minutes": one.minutes,
                "sent": one.sent,
                "not_sent": one.not_sent,
            }
            for one in report.stretches
        ],
        "after_the_stretches": report.after_the_chart,
    }


def _utc(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat(timespec="seconds") if at else None


def _shown(cell: Cell) -> int | None:
    return None if cell.is_hidden else cell.count
