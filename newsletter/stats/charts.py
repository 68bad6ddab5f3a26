"""Charts of a mailing and of the list, as SVG, readable without colour or JavaScript."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from django.template.defaultfilters import floatformat
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from core import svg
from newsletter.models import Edition
from newsletter.stats.progress import StatusCount
from newsletter.stats.report import Interval
from newsletter.stats.subscribers import Cell, MonthlyCounts

BAR_LENGTH, BAR_HEIGHT = 1000, 28
"""In SVG user units, as all here."""
MIN_SEGMENT = 6
"""So that one letter in a million is visible."""

WIDTH, HEIGHT, LEFT, TOP, BELOW = 720, 180, 52, 16, 22
MAX_COLUMN_WIDTH, COLUMN_GAP = 36, 2
MAX_LABELS = 8

LIST_HEIGHT = 150
"""Of the bars above and below the line together."""
LIST_BAR, LIST_BETWEEN = 14, 12
LIST_LEFT, LIST_TEXT = 40, 22


def progress_bar(states: Sequence[StatusCount]) -> SafeString:
    """The non-empty statuses side by side, filling the whole length."""
    shown = [state for state in states if state.count]
    widths = [max(state.share * BAR_LENGTH, MIN_SEGMENT) for state in shown]
    ends = [round(end * BAR_LENGTH / sum(widths)) for end in itertools.accumulate(widths)]
    parts = []
    for state, (begin, end) in zip(shown, itertools.pairwise([0, *ends]), strict=True):
        kind = f"state-{state.status.value}"
        parts.append(svg.rect(begin, 0, end - begin, BAR_HEIGHT, class_=kind))
        if begin:
            parts.append(svg.line(begin, 0, begin, BAR_HEIGHT))
    return svg.svg(
        (0, 0, BAR_LENGTH, BAR_HEIGHT),
        *parts,
        class_="progress-bar",
        preserveAspectRatio="none",
        role="img",
        aria_label="; ".join(f"{state.status.label}: {_whole(state.count)}" for state in shown),
    )


def answers_chart(intervals: Sequence[Interval]) -> SafeString:
    """Letters per minute over time: sent ones, and above them those that were not."""
    highest = max((one.per_minute for one in intervals), default=0)
    step = grid_step(highest)
    top = step * max(math.ceil(highest / step), 1)
    width = min((WIDTH - LEFT) // max(len(intervals), 1), MAX_COLUMN_WIDTH)
    each = math.ceil(len(intervals) / MAX_LABELS) or 1
    parts = []
    for value in range(0, top + 1, step):
        y = _y(value, top)
        parts.append(svg.line(LEFT, y, WIDTH, y, "grid"))
        parts.append(svg.text(LEFT - 6, y + 4, _whole(value), "chart-value"))
    for place, one in enumerate(intervals):
        x = LEFT + place * width
        parts += _column(one, x, max(width - COLUMN_GAP, 1), top)
        if place % each == 0:
            begins = date_format(timezone.localtime(one.begins_at), "H:i")
            parts.append(svg.text(x, TOP + HEIGHT + BELOW - 6, begins))
    label = _("A chart; the table below has its numbers.")
    return svg.svg(
        (0, 0, WIDTH, TOP + HEIGHT + BELOW),
        *parts,
        class_="list-chart",
        role="img",
        aria_label=label,
    )


def grid_step(highest: float) -> int:
    """A round distance between grid lines, for two to five of them."""
    tens = 10 ** max(math.floor(math.log10(highest / 5)), 0) if highest >= 5 else 1
    return next(
        int(step * tens) for step in (1, 2, 5, 10) if highest <= 5 * step * tens or step == 10
    )


def _column(interval: Interval, x: int, width: int, top: int) -> list[SafeString]:
    parts = []
    sent_y = _y(interval.sent / interval.minutes, top, least=bool(interval.sent))
    if interval.sent:
        parts.append(svg.rect(x, sent_y, width, TOP + HEIGHT - sent_y, class_="state-sent"))
    if interval.not_sent:
        above = min(_y(interval.per_minute, top, least=True), sent_y - 2)
        parts.append(svg.rect(x, above, width, sent_y - above, class_="state-failed"))
    return parts


def _y(value: float, top: int, *, least: bool = False) -> int:
    height = round(value / top * HEIGHT)
    return TOP + HEIGHT - max(height, 2 if least else 0)


def subscribers_chart(months: Sequence[MonthlyCounts], editions: Sequence[Edition]) -> SafeString:
    """Confirmed above the line, ended below it, on one scale. Empty without any."""
    max_up = max((cell.at_most for month in months for cell in month.confirmed), default=0)
    max_down = max((cell.at_most for month in months for cell in month.ended), default=0)
    if not max_up and not max_down:
        return SafeString()
    scale = LIST_HEIGHT / (max_up + max_down)
    line = round(max_up * scale)
    step = max(len(editions), 1) * LIST_BAR + LIST_BETWEEN
    width = LIST_LEFT + len(months) * step
    parts = [svg.text(0, line - 4, "0"), svg.line(0, line, width, line)]
    for number, month in enumerate(months):
        left, when = LIST_LEFT + number * step, date_format(month.first, "F Y")
        for cells, sign, kind in ((month.confirmed, -1, ""), (month.ended, 1, " went")):
            for place, (cell, edition) in enumerate(zip(cells, editions, strict=True)):
                x, title = left + place * LIST_BAR, f"{edition}, {when}"
                parts.append(_list_bar(cell, x, line, sign * scale, f"bar-{place}{kind}", title))
        middle = left + (step - LIST_BETWEEN) // 2
        name = date_format(month.first, "m.y")
        parts.append(svg.text(middle, LIST_HEIGHT + LIST_TEXT - 4, name, "chart-month"))
    return svg.svg(
        (0, -14, width, LIST_HEIGHT + LIST_TEXT + 14),
        *parts,
        class_="list-chart",
        role="img",
        aria_label=_("Who came and who went, by month"),
    )


def _list_bar(cell: Cell, x: int, line: int, scale: float, kind: str, title: str) -> SafeString:
    """Below the line, or above it with a negative scale."""
    if not cell.count:
        return SafeString()
    height = max(round(cell.at_most * abs(scale)), 2)
    count = "·" if cell.is_hidden else _whole(cell.count)
    return svg.rect(
        x,
        line - height if scale < 0 else line,
        LIST_BAR,
        height,
        svg.element("title", f"{title}: {count}"),
        class_=f"{kind} hidden-cell" if cell.is_hidden else kind,
    )


def _whole(number: int) -> str:
    return str(floatformat(number, "0g"))
