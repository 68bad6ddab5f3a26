"""The barometer's pictures, as SVG.

Measures are units of the pictures' own; sixteen are a rem, so that they grow with the reader's
letters. A quarter of a year is never wider than the narrowest phone's column.
"""

from __future__ import annotations

from django.utils.safestring import SafeString

from articles.public.barometer import (
    Barometer,
    Cell,
    Row,
    cell_description,
    signed,
    sum_description,
)
from core import svg
from core.weeks import Week, month_name

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


def strips(barometer: Barometer, *, labels: bool = True) -> list[SafeString]:
    """A year with any cell, quarter by quarter: topics down, weeks across.

    Without `labels` where the page's heading names the topic.
    """
    return [_strip(barometer, weeks, labels) for weeks in _quarters(barometer)]


def _quarters(barometer: Barometer) -> list[list[Week]]:
    """The weeks from the quarter with the year's oldest cell to the one with its newest."""
    quarters: list[list[Week]] = [[], [], [], []]
    for week in barometer.weeks:
        # The first of January may lie in a week's second half, never the year's own Thursdays.
        quarters[(week.thursday.month - 1) // 3].append(week)
    oldest, newest = barometer.oldest_week, barometer.newest_week
    return [weeks for weeks in quarters if weeks[0] <= newest and weeks[-1] >= oldest]


def _strip(barometer: Barometer, weeks: list[Week], labels: bool) -> SafeString:
    months = {
        number * CELL: month_name(week.thursday.month, barometer.language)
        for number, week in enumerate(weeks)
        if number == 0 or weeks[number - 1].thursday.month != week.thursday.month
    }
    parts = [svg.text(left + 3, MONTHS_LINE - 6, name, "month") for left, name in months.items()]
    height = MONTHS_LINE
    for row in barometer.rows:
        if labels:
            height += LABEL_LINE
            parts.append(svg.text(3, height - 4, _shortened(str(row.topic)), "label"))
        parts += _marks(barometer, row, weeks, height)
        height += MARKS_LINE
    width = len(weeks) * CELL
    return svg.drawing(
        (0, 0, width, height),
        *parts,
        class_="strip",
        role="group",
        aria_label=", ".join(months.values()),
        width=f"{width / REM:g}rem",
    )


def _marks(barometer: Barometer, row: Row, weeks: list[Week], top: int) -> list[SafeString]:
    """A topic's; and dots for weeks without a verdict, from the oldest that has one on."""
    cells = {cell.week: cell for cell in row.cells}
    dots = [
        f"M{number * CELL + CELL // 2} {top + MIDDLE}h.01"
        for number, week in enumerate(weeks)
        if week not in cells and barometer.oldest_week <= week <= barometer.newest_week
    ]
    marks = [
        _mark(cells[week], number * CELL, top) for number, week in enumerate(weeks) if week in cells
    ]
    return [svg.path("".join(dots), "dots"), *marks] if dots else marks


def _mark(cell: Cell, left: int, top: int) -> SafeString:
    return svg.element(
        "a",
        svg.element("title", cell_description(cell)),
        svg.rect(left, top, CELL, MARKS_LINE),
        svg.element("use", href=f"#{cell.verdict or 'taken-back'}", x=left, y=top),
        svg.text(left + CELL // 2, top + 13, "*") if cell.changes else "",
        class_=cell.verdict or "none",
        href=cell.path,
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


def charts(barometer: Barometer, *, alone: bool = False) -> list[tuple[Row, SafeString]]:
    """The running sums of a year's topics, on one scale. Those without a verdict left have none.

    Each is drawn before the others, which `lines` defines; `alone` where there are none. A year
    that has just begun is drawn as wide as a whole one.
    """
    scale = _Scale(barometer)
    frame = scale.frame()
    return [(row, _chart(row, scale, frame, alone)) for row in scale.rows]


def lines(barometer: Barometer) -> SafeString:
    """All topics' lines, for `charts` to use."""
    scale = _Scale(barometer)
    paths = [svg.path(scale.path(row), id=f"line-{row.topic.code}") for row in scale.rows]
    return svg.element("defs", svg.element("g", *paths, id="lines"))


def _chart(row: Row, scale: _Scale, frame: SafeString, alone: bool) -> SafeString:
    code, (week, last) = row.topic.code, row.sums[-1]
    x, y = round(scale.lefts[week] + scale.wide, 1), scale.height_of(last)
    if alone:
        line = svg.path(scale.path(row), "own")
    else:
        line = svg.joined(
            svg.element("use", class_="others", href="#lines"),
            svg.element("use", class_="own", href=f"#line-{code}"),
        )
    return svg.drawing(
        (0, 0, CHART_WIDTH, PLOT_TOP + PLOT_HEIGHT + CHART_FOOT),
        svg.element("title", sum_description(row), id=f"chart-{code}"),
        frame,
        line,
        svg.element("circle", cx=x, cy=y, r=3),
        svg.text(round(x + 5, 1), round(y + 4, 1), signed(last), "last"),
        role="img",
        aria_labelledby=f"chart-{code}",
    )


class _Scale:
    """One for all topics of a year."""

    def __init__(self, barometer: Barometer) -> None:
        self.rows = [row for row in barometer.rows if row.sums]
        every = [0, *(total for row in self.rows for _week, total in row.sums)]
        self.lowest, self.highest = min(every), max(every)
        self.step = min(TALLEST_STEP, PLOT_HEIGHT / max(self.highest - self.lowest, 1))
        self.language, self.quarters = barometer.language, _quarters(barometer)
        weeks = [week for quarter in self.quarters for week in quarter]
        self.wide = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / max(len(weeks), 1)
        self.lefts = {
            week: round(CHART_LEFT + self.wide * number, 1) for number, week in enumerate(weeks)
        }

    def height_of(self, total: int) -> float:
        """In the middle where the steps do not fill the height."""
        spare = PLOT_HEIGHT - self.step * (self.highest - self.lowest)
        return round(PLOT_TOP + spare / 2 + self.step * (self.highest - total), 1)

    def path(self, row: Row) -> str:
        """One step a week, broken where a week has no verdict."""
        path, before = "", None
        for week, total in row.sums:
            left = self.lefts[week]
            if before is None:
                path = f"M{left} {self.height_of(0)}"
            elif before != week.previous():
                path += f"M{left} {self.height_of(total)}"
            path += f"V{self.height_of(total)}H{round(left + self.wide, 1)}"
            before = week
        return path

    def frame(self) -> SafeString:
        """Months, numbers and the line at nought."""
        foot, zero = PLOT_TOP + PLOT_HEIGHT, self.height_of(0)
        parts = []
        for week in _ticks(self.quarters):
            left = self.lefts[week]
            name = month_name(week.thursday.month, self.language, "abbreviated")
            parts.append(svg.path(f"M{left} {PLOT_TOP}V{foot}", "run_due"))
            parts.append(svg.text(left, foot + CHART_FOOT - 4, name, "scale"))
        heights = {total: self.height_of(total) for total in (0, self.highest, self.lowest)}
        for total, height in heights.items():
            if not total or abs(height - zero) >= NUMBER_HEIGHT:
                at = round(height + 4, 1)
                parts.append(svg.text(CHART_LEFT - 6, at, signed(total), "scale number"))
        parts.append(svg.path(f"M{CHART_LEFT} {zero}H{CHART_WIDTH - CHART_RIGHT}", "zero"))
        return svg.joined(*parts)


def _ticks(quarters: list[list[Week]]) -> list[Week]:
    """The first week of each month, or of each quarter."""
    if len(quarters) > QUARTERS_WITH_MONTHS:
        return [weeks[0] for weeks in quarters]
    firsts: dict[int, Week] = {}
    for weeks in quarters:
        for week in weeks:
            firsts.setdefault(week.thursday.month, week)
    return list(firsts.values())
