"""The pictures of a mailing and of the list, as SVG, readable without colour or script."""

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
from newsletter.stats.progress import State
from newsletter.stats.report import Stretch
from newsletter.stats.subscribers import Cell, Month

BAR_LENGTH, BAR_HEIGHT = 1000, 28
"""In units of the drawing, as all here."""
LEAST = 6
"""So that one letter in a million is seen."""

WIDTH, HEIGHT, LEFT, TOP, BELOW = 720, 180, 52, 16, 22
WIDEST, BETWEEN = 36, 2
MOST_LABELS = 8

LIST_HEIGHT = 150
"""Of all bars together, above the line and below it."""
LIST_BAR, LIST_BETWEEN = 14, 12
LIST_LEFT, LIST_TEXT = 40, 22


def bar(states: Sequence[State]) -> SafeString:
    """The states that any letter is in, side by side, filling the whole length."""
    shown = [state for state in states if state.count]
    widths = [max(state.share * BAR_LENGTH, LEAST) for state in shown]
    ends = [round(end * BAR_LENGTH / sum(widths)) for end in itertools.accumulate(widths)]
    parts = []
    for state, (begin, end) in zip(shown, itertools.pairwise([0, *ends]), strict=True):
        kind = f"state-{state.status.value}"
        parts.append(svg.rect(begin, 0, end - begin, BAR_HEIGHT, class_=kind))
        if begin:
            parts.append(svg.line(begin, 0, begin, BAR_HEIGHT))
    return svg.drawing(
        (0, 0, BAR_LENGTH, BAR_HEIGHT),
        *parts,
        class_="progress-bar",
        preserveAspectRatio="none",
        role="img",
        aria_label="; ".join(f"{state.status.label}: {_whole(state.count)}" for state in shown),
    )


def chart(stretches: Sequence[Stretch]) -> SafeString:
    """Letters a minute over time: what was sent, and above it what was not.

    As wide as it may be; a short sending has few columns, and they are no blocks.
    """
    most = max((one.a_minute for one in stretches), default=0)
    step = steps(most)
    top = step * max(math.ceil(most / step), 1)
    wide = min((WIDTH - LEFT) // max(len(stretches), 1), WIDEST)
    each = math.ceil(len(stretches) / MOST_LABELS) or 1
    parts = []
    for value in range(0, top + 1, step):
        y = _y(value, top)
        parts.append(svg.line(LEFT, y, WIDTH, y, "grid"))
        parts.append(svg.text(LEFT - 6, y + 4, _whole(value), "chart-value"))
    for place, one in enumerate(stretches):
        x = LEFT + place * wide
        parts += _column(one, x, max(wide - BETWEEN, 1), top)
        if place % each == 0:
            begins = date_format(timezone.localtime(one.begins_at), "H:i")
            parts.append(svg.text(x, TOP + HEIGHT + BELOW - 6, begins))
    label = _("A chart; the table below has its numbers.")
    return svg.drawing(
        (0, 0, WIDTH, TOP + HEIGHT + BELOW),
        *parts,
        class_="list-chart",
        role="img",
        aria_label=label,
    )


def steps(most: float) -> int:
    """A round distance between lines, so that there are two to five of them."""
    tens = 10 ** max(math.floor(math.log10(most / 5)), 0) if most >= 5 else 1
    return next(int(step * tens) for step in (1, 2, 5, 10) if most <= 5 * step * tens or step == 10)


def _column(stretch: Stretch, x: int, wide: int, top: int) -> list[SafeString]:
    parts = []
    sent_y = _y(stretch.sent / stretch.minutes, top, least=bool(stretch.sent))
    if stretch.sent:
        parts.append(svg.rect(x, sent_y, wide, TOP + HEIGHT - sent_y, class_="state-sent"))
    if stretch.not_sent:
        above = min(_y(stretch.a_minute, top, least=True), sent_y - 2)
        parts.append(svg.rect(x, above, wide, sent_y - above, class_="state-failed"))
    return parts


def _y(value: float, top: int, *, least: bool = False) -> int:
    height = round(value / top * HEIGHT)
    return TOP + HEIGHT - max(height, 2 if least else 0)


def by_month(months: Sequence[Month], editions: Sequence[Edition]) -> SafeString:
    """Who came, above the line; who went, below it; both in one scale. Empty without anybody."""
    most_up = max((cell.at_most for month in months for cell in month.came), default=0)
    most_down = max((cell.at_most for month in months for cell in month.went), default=0)
    if not most_up and not most_down:
        return SafeString()
    scale = LIST_HEIGHT / (most_up + most_down)
    line = round(most_up * scale)
    step = max(len(editions), 1) * LIST_BAR + LIST_BETWEEN
    width = LIST_LEFT + len(months) * step
    parts = [svg.text(0, line - 4, "0"), svg.line(0, line, width, line)]
    for number, month in enumerate(months):
        left, when = LIST_LEFT + number * step, date_format(month.first, "F Y")
        for cells, sign, kind in ((month.came, -1, ""), (month.went, 1, " went")):
            for place, (cell, edition) in enumerate(zip(cells, editions, strict=True)):
                x, told = left + place * LIST_BAR, f"{edition}, {when}"
                parts.append(_list_bar(cell, x, line, sign * scale, f"bar-{place}{kind}", told))
        middle = left + (step - LIST_BETWEEN) // 2
        name = date_format(month.first, "m.y")
        parts.append(svg.text(middle, LIST_HEIGHT + LIST_TEXT - 4, name, "chart-month"))
    return svg.drawing(
        (0, -14, width, LIST_HEIGHT + LIST_TEXT + 14),
        *parts,
        class_="list-chart",
        role="img",
        aria_label=_("Who came and who went, by month"),
    )


def _list_bar(cell: Cell, x: int, line: int, scale: float, kind: str, told: str) -> SafeString:
    """Down from the line, or up from it with a scale below nought."""
    if not cell.count:
        return SafeString()
    height = max(round(cell.at_most * abs(scale)), 2)
    count = "·" if cell.is_hidden else _whole(cell.count)
    return svg.rect(
        x,
        line - height if scale < 0 else line,
        LIST_BAR,
        height,
        svg.element("title", f"{told}: {count}"),
        class_=f"{kind} hidden-cell" if cell.is_hidden else kind,
    )


def _whole(number: int) -> str:
    return str(floatformat(number, "0g"))
