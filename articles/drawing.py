"""Where each mark and line of the barometer's pictures stands. The templates draw them as SVG.

Measures are units of the pictures' own; sixteen are a rem, so that they grow with the reader's
letters. A quarter of a year is never wider than the narrowest phone's column.
"""

from __future__ import annotations

from dataclasses import dataclass

from articles.barometer import Barometer, Cell, Row
from newsroom.weeks import Week, month_name

CELL = 20
"""A week's width: fourteen of them fit on 320 pixels."""
MONTHS_LINE, LABEL_LINE, MARKS_LINE = 18, 22, 30
MIDDLE = 17
"""Of a mark, below its top: the asterisk of a corrected one stands above it."""
LONGEST_LABEL = 42
REM = 16

CHART_WIDTH, CHART_LEFT, CHART_RIGHT = 280, 26, 30
PLOT_TOP, PLOT_HEIGHT, CHART_FOOT = 8, 88, 18
TALLEST_STEP = 16
"""Units of one verdict where there are few."""
QUARTERS_WITH_MONTHS = 2
"""With more of them the months' names would run into each other."""
NUMBER_HEIGHT = 12
"""Nearer to nought a number of the scale would stand upon it."""
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Mark:
    """A cell's place; `top` and `left` are its corner."""

    left: int
    top: int
    cell: Cell


@dataclass(frozen=True)
class StripRow:
    """A topic's name, and its marks below it."""

    label: str
    """Empty where the page's heading names the topic."""
    label_bottom: int
    marks: list[Mark]
    dots: list[tuple[int, int]]
    """The middles of weeks without a verdict, from the oldest that has one to the newest."""


@dataclass(frozen=True)
class Strip:
    """Three months: topics down, weeks across."""

    width: int
    height: int
    months: list[tuple[int, str]]
    rows: list[StripRow]

    @property
    def rem(self) -> str:
        return f"{self.width / REM:g}rem"

    @property
    def label(self) -> str:
        """Its months, for who hears it."""
        return ", ".join(name for _left, name in self.months)

    @property
    def months_bottom(self) -> int:
        return MONTHS_LINE - 6


def strips(barometer: Barometer, *, labels: bool = True) -> list[Strip]:
    """A year with any cell, quarter by quarter."""
    return [_strip(barometer, weeks, labels) for weeks in _quarters(barometer)]


def _quarters(barometer: Barometer) -> list[list[Week]]:
    """The weeks from the quarter with the year's oldest cell to the one with its newest."""
    quarters: list[list[Week]] = [[], [], [], []]
    for week in barometer.weeks:
        # The first of January may lie in a week's second half, never the year's own Thursdays.
        quarters[(week.thursday.month - 1) // 3].append(week)
    oldest, newest = barometer.oldest_week, barometer.newest_week
    return [weeks for weeks in quarters if weeks[0] <= newest and weeks[-1] >= oldest]


def _strip(barometer: Barometer, weeks: list[Week], labels: bool) -> Strip:
    months = [
        (number * CELL, month_name(week.thursday.month, barometer.language))
        for number, week in enumerate(weeks)
        if number == 0 or weeks[number - 1].thursday.month != week.thursday.month
    ]
    height = MONTHS_LINE
    rows = []
    for row in barometer.rows:
        label = _shortened(str(row.topic)) if labels else ""
        marks_top = height + (LABEL_LINE if labels else 0)
        rows.append(_strip_row(row, label, weeks, marks_top, barometer))
        height = marks_top + MARKS_LINE
    return Strip(len(weeks) * CELL, height, months, rows)


def _strip_row(
    row: Row, label: str, weeks: list[Week], marks_top: int, barometer: Barometer
) -> StripRow:
    cells = {cell.week: cell for cell in row.cells}
    marks, dots = [], []
    for number, week in enumerate(weeks):
        if week in cells:
            marks.append(Mark(number * CELL, marks_top, cells[week]))
        elif barometer.oldest_week <= week <= barometer.newest_week:
            dots.append((number * CELL + CELL // 2, marks_top + MIDDLE))
    return StripRow(label, marks_top - 4, marks, dots)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


@dataclass(frozen=True)
class Line:
    """A topic's running sum: one step a week, broken where a week has no verdict."""

    row: Row
    path: str
    end: tuple[float, float]
    last: int
    lowest: int
    highest: int

    @property
    def last_label(self) -> str:
        return signed(self.last)

    @property
    def label_place(self) -> tuple[float, float]:
        """Behind the line's end."""
        return round(self.end[0] + 5, 1), round(self.end[1] + 4, 1)


@dataclass(frozen=True)
class Chart:
    """All topics' lines on one scale."""

    lines: list[Line]
    zero: float
    scale: list[tuple[float, str]]
    """Heights with their numbers: nought, the highest, the lowest."""
    months: list[tuple[float, str]]
    """Each, or where they are many the first one of each quarter."""

    width: int = CHART_WIDTH
    height: int = PLOT_TOP + PLOT_HEIGHT + CHART_FOOT
    top: int = PLOT_TOP
    left: int = CHART_LEFT
    right: int = CHART_WIDTH - CHART_RIGHT
    foot: int = PLOT_TOP + PLOT_HEIGHT
    foot_line: int = PLOT_TOP + PLOT_HEIGHT + CHART_FOOT - 4


def chart(barometer: Barometer) -> Chart:
    """The running sums of a year's topics. Those without a verdict left have no line.

    A year that has just begun is drawn as wide as a whole one.
    """
    rows = [row for row in barometer.rows if row.sums]
    every = [0, *(total for row in rows for _week, total in row.sums)]
    lowest, highest = min(every), max(every)
    step = min(TALLEST_STEP, PLOT_HEIGHT / max(highest - lowest, 1))
    # In the middle where the steps do not fill the height.
    spare = PLOT_HEIGHT - step * (highest - lowest)

    def height_of(total: int) -> float:
        return round(PLOT_TOP + spare / 2 + step * (highest - total), 1)

    quarters = _quarters(barometer)
    weeks = [week for quarter in quarters for week in quarter]
    wide = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / len(weeks)
    lefts = {week: round(CHART_LEFT + wide * number, 1) for number, week in enumerate(weeks)}
    lines = []
    for row in rows:
        path, before = "", None
        for week, total in row.sums:
            if before is None:
                path = f"M{lefts[week]} {height_of(0)}"
            elif before != week.previous():
                path += f"M{lefts[week]} {height_of(total)}"
            path += f"V{height_of(total)}H{round(lefts[week] + wide, 1)}"
            before = week
        totals = [total for _week, total in row.sums]
        last_week, last = row.sums[-1]
        end = (round(lefts[last_week] + wide, 1), height_of(last))
        lines.append(Line(row, path, end, last, min(0, *totals), max(0, *totals)))
    zero = height_of(0)
    ends = [end for end in (highest, lowest) if abs(height_of(end) - zero) >= NUMBER_HEIGHT]
    return Chart(
        lines,
        zero,
        [(round(height_of(total) + 4, 1), signed(total)) for total in (0, *ends)],
        [
            (lefts[week], month_name(week.thursday.month, barometer.language, "abbreviated"))
            for week in _ticks(quarters)
        ],
    )


def _ticks(quarters: list[list[Week]]) -> list[Week]:
    """The first week of each month, or of each quarter."""
    if len(quarters) > QUARTERS_WITH_MONTHS:
        return [weeks[0] for weeks in quarters]
    firsts: dict[int, Week] = {}
    for weeks in quarters:
        for week in weeks:
            firsts.setdefault(week.thursday.month, week)
    return list(firsts.values())


def signed(total: int) -> str:
    """ "+3", "0", "−2", with a real minus."""
    return f"+{total}" if total > 0 else str(total).replace("-", MINUS)
