"""The week: Monday to Sunday, named by its Monday."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from babel.dates import format_date

from core import languages

EN_DASH = "\N{EN DASH}"
FIRST_MONDAY, LAST_MONDAY = dt.date(1990, 1, 1), dt.date(2099, 12, 28)
"""The weeks of the ISO years 1990 to 2099: room for archives, none for typing errors."""


class InvalidWeek(ValueError):
    """The text or date does not name a week."""


@dataclass(frozen=True, order=True)
class Week:
    """A value object; `str()` gives the Monday's ISO date, which is also its path.

    Raises InvalidWeek for any other day, and outside FIRST_MONDAY to LAST_MONDAY.
    """

    monday: dt.date

    def __post_init__(self) -> None:
        if self.monday.isoweekday() != 1:
            raise InvalidWeek(f"{self.monday} is not a Monday. A week is named by its Monday.")
        if not FIRST_MONDAY <= self.monday <= LAST_MONDAY:
            raise InvalidWeek(
                f"{self.monday} is too far away. Weeks are {FIRST_MONDAY} to {LAST_MONDAY}."
            )

    @classmethod
    def containing(cls, day: dt.date) -> Week:
        """The week that a day lies in. Raises InvalidWeek."""
        return cls(_monday_of(day))

    @classmethod
    def nearest(cls, day: dt.date) -> Week:
        """The week that a day lies in; the first or the last one for a day beyond them."""
        return cls(min(max(_monday_of(day), FIRST_MONDAY), LAST_MONDAY))

    @classmethod
    def last_full(cls, today: dt.date) -> Week:
        """The newest week that is over."""
        return cls.containing(today).previous()

    @classmethod
    def parse(cls, text: str) -> Week:
        """Reads a Monday's ISO date. Raises InvalidWeek."""
        try:
            monday = dt.date.fromisoformat(text)
        except ValueError:
            raise InvalidWeek(
                f"{text!r} is not a date. Write a week as its Monday: 2026-11-16."
            ) from None
        return cls(monday)

    @classmethod
    def of_year(cls, year: int) -> list[Week]:
        """A year's 52 or 53 weeks by ISO 8601: a week belongs to the year of its Thursday."""
        # The 28th of December is always in the last one.
        last = dt.date(year, 12, 28).isocalendar().week
        return [cls(dt.date.fromisocalendar(year, number, 1)) for number in range(1, last + 1)]

    @property
    def thursday(self) -> dt.date:
        """Decides to which year and month the week belongs (ISO 8601)."""
        return self.monday + dt.timedelta(days=3)

    @property
    def year(self) -> int:
        """By ISO 8601: 29 December 2025 begins the first week of 2026."""
        return self.monday.isocalendar().year

    @property
    def iso(self) -> str:
        """ "2026-W47", as ISO 8601 writes a week."""
        year, number, _day = self.monday.isocalendar()
        return f"{year:04}-W{number:02}"

    @property
    def sunday(self) -> dt.date:
        return self.monday + dt.timedelta(days=6)

    def previous(self, weeks: int = 1) -> Week:
        """The week before, or as many weeks before. Raises InvalidWeek before the first one."""
        return Week(self.monday - dt.timedelta(weeks=weeks))

    def next(self) -> Week:
        """Raises InvalidWeek after the last one."""
        return self.previous(-1)

    def __str__(self) -> str:
        return self.monday.isoformat()

    def label(self, language: str) -> str:
        """ "16–22 November 2026", "30 November – 6 December 2026", with years where they differ."""
        return self._range(language, "long")

    def short_label(self, language: str) -> str:
        """ "16–22 November": the label without a year, where the year is clear from the context."""
        return self._range(language, "d MMMM")

    def _range(self, language: str, pattern: str) -> str:
        locale = languages.locale(language)
        start, end = self.monday, self.sunday
        last = format_date(end, pattern, locale)
        if start.year != end.year:
            return f"{format_date(start, pattern, locale)} {EN_DASH} {last}"
        if start.month != end.month or not last.startswith(str(end.day)):
            return f"{format_date(start, 'd MMMM', locale)} {EN_DASH} {last}"
        return f"{start.day}{EN_DASH}{last}"


def _monday_of(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())


def month_name(month: int, language: str, width: str = "wide") -> str:
    """A month by itself, in the nominative: "November", "лістапад"; "abbreviated" is shorter."""
    return str(languages.locale(language).months["stand-alone"][width][month])


def long_date(day: dt.date, language: str) -> str:
    """ "22 November 2026", "22 лістапада 2026 г."."""
    return format_date(day, "long", languages.locale(language))
