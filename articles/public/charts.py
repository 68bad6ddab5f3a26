"""The barometer's charts, as SVG.

Sizes are in SVG units, 16 to a rem, so that charts scale with the browser's font size. A quarter
of a year fits into the column of a 320-pixel phone.
"""

from __future__ import annotations

from django.utils.safestring import SafeString

from articles.public.barometer import (
    Barometer,
    Cell,
    TopicRow,
    cell_description,
    signed,
    total_description,
)
from core import svg
from core.weeks import Week, month_name

CELL_WIDTH = 20
"""Of one week; fourteen fit into 280 pixels."""
MONTHS_HEIGHT, LABEL_HEIGHT, MARKS_HEIGHT = 18, 22, 30
MARK_CENTER = 17
"""Below the mark's top; the asterisk of a correction is above it."""
MAX_LABEL_LENGTH = 42
REM = 16

CHART_WIDTH, CHART_LEFT, CHART_RIGHT = 280, 26, 30
PLOT_TOP, PLOT_HEIGHT, AXIS_HEIGHT = 8, 88, 18
MAX_STEP_HEIGHT = 16
"""Of one verdict, in a chart with few."""
MAX_QUARTERS_WITH_MONTHS = 2
"""With more of them the months' names would overlap."""
MIN_LABEL_DISTANCE = 12
"""Between an axis label and the one at zero."""


def strips(barometer: Barometer, *, labels: bool = True) -> list[SafeString]:
    """One grid per quarter: topics down, weeks across. `labels` names the topics."""
    return [_strip(barometer, weeks, labels) for weeks in _quarters(barometer)]


def _quarters(barometer: Barometer) -> list[list[Week]]:
    """The weeks of each quarter, from the one with the oldest cell to the one with the newest."""
    quarters: list[list[Week]] = [[], [], [], []]
    for week in barometer.weeks:
        # A week belongs to the quarter of its Thursday, as to the ISO year.
        quarters[(week.thursday.month - 1) // 3].append(week)
    oldest, newest = barometer.oldest_week, barometer.newest_week
    return [weeks for weeks in quarters if weeks[0] <= newest and weeks[-1] >= oldest]


def _strip(barometer: Barometer, weeks: list[Week], labels: bool) -> SafeString:
    months = {
        number * CELL_WIDTH: month_name(week.thursday.month, barometer.language)
        for number, week in enumerate(weeks)
        if number == 0 or weeks[number - 1].thursday.month != week.thursday.month
    }
    parts = [svg.text(left + 3, MONTHS_HEIGHT - 6, name, "month") for left, name in months.items()]
    height = MONTHS_HEIGHT
    for row in barometer.rows:
        if labels:
            height += LABEL_HEIGHT
            parts.append(svg.text(3, height - 4, _truncated(str(row.topic)), "label"))
        parts += _marks(barometer, row, weeks, height)
        height += MARKS_HEIGHT
    width = len(weeks) * CELL_WIDTH
    return svg.svg(
        (0, 0, width, height),
        *parts,
        class_="strip",
        role="group",
        aria_label=", ".join(months.values()),
        width=f"{width / REM:g}rem",
    )


def _marks(barometer: Barometer, row: TopicRow, weeks: list[Week], top: int) -> list[SafeString]:
    """A topic's marks, and dots for weeks without a verdict between the oldest and the newest."""
    cells = {cell.week: cell for cell in row.cells}
    dots = [
        f"M{number * CELL_WIDTH + CELL_WIDTH // 2} {top + MARK_CENTER}h.01"
        for number, week in enumerate(weeks)
        if week not in cells and barometer.oldest_week <= week <= barometer.newest_week
    ]
    marks = [
        _mark(cells[week], number * CELL_WIDTH, top)
        for number, week in enumerate(weeks)
        if week in cells
    ]
    return [svg.path("".join(dots), "dots"), *marks] if dots else marks


def _mark(cell: Cell, left: int, top: int) -> SafeString:
    return svg.element(
        "a",
        svg.element("title", cell_description(cell)),
        svg.rect(left, top, CELL_WIDTH, MARKS_HEIGHT),
        svg.element("use", href=f"#{cell.verdict or 'retracted'}", x=left, y=top),
        svg.text(left + CELL_WIDTH // 2, top + 13, "*") if cell.corrections else "",
        class_=cell.verdict or "none",
        href=cell.path,
    )


def _truncated(name: str) -> str:
    return name if len(name) <= MAX_LABEL_LENGTH else f"{name[: MAX_LABEL_LENGTH - 1]}…"


def line_charts(
    barometer: Barometer, *, single_topic: bool = False
) -> list[tuple[TopicRow, SafeString]]:
    """A chart of each topic's running total, on one scale; none for a topic without a verdict.

    The other topics' lines, from `shared_lines`, are in the background unless `single_topic`. The
    x axis spans the quarters with verdicts.
    """
    scale = _Scale(barometer)
    frame = scale.frame()
    return [(row, _chart(row, scale, frame, single_topic)) for row in scale.rows]


def shared_lines(barometer: Barometer) -> SafeString:
    """`<defs>` with each topic's line, for `line_charts`."""
    scale = _Scale(barometer)
    paths = [svg.path(scale.path(row), id=f"line-{row.topic.code}") for row in scale.rows]
    return svg.element("defs", svg.element("g", *paths, id="lines"))


def _chart(row: TopicRow, scale: _Scale, frame: SafeString, single_topic: bool) -> SafeString:
    code, (week, last) = row.topic.code, row.running_totals[-1]
    x, y = round(scale.x_of[week] + scale.week_width, 1), scale.y_of(last)
    if single_topic:
        line = svg.path(scale.path(row), "highlighted")
    else:
        line = svg.join(
            svg.element("use", class_="background", href="#lines"),
            svg.element("use", class_="highlighted", href=f"#line-{code}"),
        )
    return svg.svg(
        (0, 0, CHART_WIDTH, PLOT_TOP + PLOT_HEIGHT + AXIS_HEIGHT),
        svg.element("title", total_description(row), id=f"chart-{code}"),
        frame,
        line,
        svg.element("circle", cx=x, cy=y, r=3),
        svg.text(round(x + 5, 1), round(y + 4, 1), signed(last), "last"),
        role="img",
        aria_labelledby=f"chart-{code}",
    )


class _Scale:
    """The axes, the same for all topics of a year."""

    def __init__(self, barometer: Barometer) -> None:
        self.rows = [row for row in barometer.rows if row.running_totals]
        every = [0, *(total for row in self.rows for _week, total in row.running_totals)]
        self.lowest, self.highest = min(every), max(every)
        self.step = min(MAX_STEP_HEIGHT, PLOT_HEIGHT / max(self.highest - self.lowest, 1))
        self.language, self.quarters = barometer.language, _quarters(barometer)
        weeks = [week for quarter in self.quarters for week in quarter]
        self.week_width = (CHART_WIDTH - CHART_LEFT - CHART_RIGHT) / max(len(weeks), 1)
        self.x_of = {
            week: round(CHART_LEFT + self.week_width * number, 1)
            for number, week in enumerate(weeks)
        }

    def y_of(self, total: int) -> float:
        """The y coordinate; the range is centred vertically."""
        spare = PLOT_HEIGHT - self.step * (self.highest - self.lowest)
        return round(PLOT_TOP + spare / 2 + self.step * (self.highest - total), 1)

    def path(self, row: TopicRow) -> str:
        """A step line, broken where a week has no verdict."""
        path, before = "", None
        for week, total in row.running_totals:
            left = self.x_of[week]
            if before is None:
                path = f"M{left} {self.y_of(0)}"
            elif before != week.previous():
                path += f"M{left} {self.y_of(total)}"
            path += f"V{self.y_of(total)}H{round(left + self.week_width, 1)}"
            before = week
        return path

    def frame(self) -> SafeString:
        """Gridlines, axis labels and the zero line."""
        bottom, zero = PLOT_TOP + PLOT_HEIGHT, self.y_of(0)
        parts = []
        for week in _ticks(self.quarters):
            left = self.x_of[week]
            name = month_name(week.thursday.month, self.language, "abbreviated")
            parts.append(svg.path(f"M{left} {PLOT_TOP}V{bottom}", "gridline"))
            parts.append(svg.text(left, bottom + AXIS_HEIGHT - 4, name, "axis-label"))
        heights = {total: self.y_of(total) for total in (0, self.highest, self.lowest)}
        for total, height in heights.items():
            if not total or abs(height - zero) >= MIN_LABEL_DISTANCE:
                at = round(height + 4, 1)
                parts.append(svg.text(CHART_LEFT - 6, at, signed(total), "axis-label number"))
        parts.append(svg.path(f"M{CHART_LEFT} {zero}H{CHART_WIDTH - CHART_RIGHT}", "zero-line"))
        return svg.join(*parts)


def _ticks(quarters: list[list[Week]]) -> list[Week]:
    """The first week of each month, or of each quarter."""
    if len(quarters) > MAX_QUARTERS_WITH_MONTHS:
        return [weeks[0] for weeks in quarters]
    firsts: dict[int, Week] = {}
    for weeks in quarters:
        for week in weeks:
            firsts.setdefault(week.thursday.month, week)
    return list(firsts.values())
