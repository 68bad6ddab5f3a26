"""Where the parts of a mailing's bar and the columns of its chart stand. Pure geometry."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.reporting import Stretch
from newsletter.watching import State

WHOLE = 1000
"""The bar's length, in units of the drawing, as all here."""
LEAST = 6
"""So that one letter in a million is seen."""
WIDTH, HEIGHT, LEFT, TOP, BELOW = 720, 180, 52, 16, 22
WIDEST, BETWEEN = 36, 2
MOST_LABELS = 8


@dataclass(frozen=True)
class Part:
    """One state's share of the bar."""

    state: State
    x: int
    width: int


def bar(states: Sequence[State]) -> list[Part]:
    """The states that any letter is in, side by side, filling the whole length."""
    shown = [state for state in states if state.count]
    widths = [max(state.share * WHOLE, LEAST) for state in shown]
    ends = [round(end * WHOLE / sum(widths)) for end in itertools.accumulate(widths)]
    return [
        Part(state, begins, ends[place] - begins)
        for place, (state, begins) in enumerate(zip(shown, [0, *ends], strict=False))
    ]


@dataclass(frozen=True)
class Column:
    """One stretch of time: what was sent, and above it what was not."""

    stretch: Stretch
    x: int
    width: int
    y: int
    height: int
    not_sent_y: int
    not_sent_height: int


@dataclass(frozen=True)
class Line:
    """A number of letters a minute, and its height."""

    value: int
    y: int


@dataclass(frozen=True)
class Label:
    """A time below the chart."""

    at: dt.datetime
    x: int


@dataclass(frozen=True)
class Chart:
    """Letters a minute over time."""

    columns: list[Column]
    lines: list[Line]
    labels: list[Label]

    width, height, left = WIDTH, TOP + HEIGHT + BELOW, LEFT
    bottom, labels_at = TOP + HEIGHT, TOP + HEIGHT + BELOW - 6


def chart(stretches: Sequence[Stretch]) -> Chart:
    """As wide as it may be; a short sending has few columns, and they are no blocks."""
    step = steps(max((one.a_minute for one in stretches), default=0))
    top = step * max(math.ceil(max((one.a_minute for one in stretches), default=0) / step), 1)
    wide = min((WIDTH - LEFT) // max(len(stretches), 1), WIDEST)
    each = math.ceil(len(stretches) / MOST_LABELS) or 1
    return Chart(
        [_column(one, LEFT + place * wide, wide, top) for place, one in enumerate(stretches)],
        [Line(value, _y(value, top)) for value in range(0, top + 1, step)],
        [
            Label(one.begins_at, LEFT + place * wide)
            for place, one in enumerate(stretches)
            if place % each == 0
        ],
    )


def steps(most: float) -> int:
    """A round distance between lines, so that there are two to five of them."""
    tens = 10 ** max(math.floor(math.log10(most / 5)), 0) if most >= 5 else 1
    return next(int(step * tens) for step in (1, 2, 5, 10) if most <= 5 * step * tens or step == 10)


def _column(stretch: Stretch, x: int, wide: int, top: int) -> Column:
    sent_y = _y(stretch.sent / stretch.minutes, top, least=bool(stretch.sent))
    above = _y(stretch.a_minute, top, least=bool(stretch.sent or stretch.not_sent))
    above = min(above, sent_y - 2) if stretch.not_sent else sent_y
    return Column(
        stretch, x, max(wide - BETWEEN, 1), sent_y, TOP + HEIGHT - sent_y, above, sent_y - above
    )


def _y(value: float, top: int, *, least: bool = False) -> int:
    height = round(value / top * HEIGHT)
    return TOP + HEIGHT - max(height, 2 if least else 0)
