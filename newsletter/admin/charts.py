"""Where the bars of a chart stand. Drawn by the server, readable without colour or script."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.counting import Cell, Month
from newsletter.models import Edition

HEIGHT = 90
"""Of the space above the middle line and below it, in units of the drawing, as all here."""
BAR, BETWEEN = 14, 12
LEFT, TEXT = 40, 22


@dataclass(frozen=True)
class Bar:
    """One edition's number of one month, up from the middle line or down from it."""

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
    """Who came, above the line; who went, below it."""

    width: int
    groups: list[Group]
    most: int

    @property
    def height(self) -> int:
        return 2 * HEIGHT + TEXT

    @property
    def line(self) -> int:
        return HEIGHT

    @property
    def months_at(self) -> int:
        return 2 * HEIGHT + TEXT - 6

    bar = BAR
    left = LEFT


def draw(months: list[Month], editions: list[Edition]) -> Chart:
    """Pure geometry: the largest number is as high as the space."""
    most = max((cell.at_most for month in months for cell in [*month.came, *month.went]), default=0)
    group_width = max(len(editions), 1) * BAR + BETWEEN
    groups = []
    for number, month in enumerate(months):
        x = LEFT + number * group_width
        bars = [
            _bar(x + place * BAR, place, cells[place], edition, most, goes_up=goes_up)
            for goes_up, cells in ((True, month.came), (False, month.went))
            for place, edition in enumerate(editions)
            if cells[place].count
        ]
        groups.append(Group(month, x + (group_width - BETWEEN) // 2, bars))
    return Chart(LEFT + len(months) * group_width, groups, most)


def _bar(x: int, place: int, cell: Cell, edition: Edition, most: int, *, goes_up: bool) -> Bar:
    height = max(round(HEIGHT * cell.at_most / max(most, 1)), 2)
    return Bar(x, HEIGHT - height if goes_up else HEIGHT, height, place, cell, edition, goes_up)
