"""Where the bars of a chart stand. Drawn by the server, readable without colour or script."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.counting import Cell, Month
from newsletter.models import Edition

HEIGHT = 150
"""Of all bars together, above the line and below it, in units of the drawing, as all here."""
BAR, BETWEEN = 14, 12
LEFT, TEXT = 40, 22
LEAST = 2
"""So that the smallest number is seen."""


@dataclass(frozen=True)
class Bar:
    """One edition's number of one month, up from the line or down from it."""

    x: int
    y: int
    height: int
    place: int
    cell: Cell
    edition: Edition
    goes_up: bool


@dataclass(frozen=True)
class Group:
    """One month's bars, and where its name stands."""

    month: Month
    middle: int
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """Who came, above the line; who went, below it; both in one scale."""

    width: int
    line: int
    most: int
    groups: list[Group]

    height = HEIGHT + TEXT
    months_at = HEIGHT + TEXT - 4
    bar = BAR


def draw(months: list[Month], editions: list[Edition]) -> Chart:
    """Pure geometry: the largest numbers up and down share the height."""
    most_up = max((cell.at_most for month in months for cell in month.came), default=0)
    most_down = max((cell.at_most for month in months for cell in month.went), default=0)
    scale = HEIGHT / max(most_up + most_down, 1)
    line = round(most_up * scale)
    step = max(len(editions), 1) * BAR + BETWEEN
    groups = []
    for number, month in enumerate(months):
        x = LEFT + number * step
        bars = [
            _bar(x + place * BAR, line, place, cells[place], edition, scale, goes_up=goes_up)
            for goes_up, cells in ((True, month.came), (False, month.went))
            for place, edition in enumerate(editions)
            if cells[place].count
        ]
        groups.append(Group(month, x + (step - BETWEEN) // 2, bars))
    return Chart(LEFT + len(months) * step, line, max(most_up, most_down), groups)


def _bar(
    x: int, line: int, place: int, cell: Cell, edition: Edition, scale: float, *, goes_up: bool
) -> Bar:
    height = max(round(cell.at_most * scale), LEAST)
    return Bar(x, line - height if goes_up else line, height, place, cell, edition, goes_up)
