"""The week and how each language names it; test_cldr.py holds every one against CLDR."""

import datetime as dt

import pytest

from core.weeks import InvalidWeek, Week


def week(text: str) -> Week:
    return Week.parse(text)


def test_a_week_within_a_month_names_the_month_once() -> None:
    assert week("2026-11-16").label("en") == "16–22 November 2026"
    assert week("2026-11-16").label("ru") == "16–22 ноября 2026\N{NARROW NO-BREAK SPACE}г."
    assert week("2026-11-16").label("be") == "16–22 лістапада 2026\N{NARROW NO-BREAK SPACE}г."


def test_the_short_label_leaves_the_year_out() -> None:
    assert week("2025-01-13").short_label("en") == "13–19 January"
    assert week("2025-01-13").short_label("be") == "13–19 студзеня"
    assert week("2025-12-29").short_label("en") == "29 December – 4 January"


def test_any_day_of_it_finds_the_week() -> None:
    assert Week.containing(dt.date(2026, 11, 22)) == week("2026-11-16")
    assert Week.containing(dt.date(2026, 11, 23)) == week("2026-11-23")
    assert Week.last_full(dt.date(2026, 11, 23)) == week("2026-11-16")


@pytest.mark.parametrize("text", ["1989-12-25", "2100-01-04", "9999-12-27", "0001-01-01"])
def test_a_monday_that_is_too_far_away_is_no_week(text: str) -> None:
    with pytest.raises(InvalidWeek, match="Weeks are 1990-01-01 to 2099-12-28"):
        Week.parse(text)


def test_the_weeks_there_are_make_whole_years() -> None:
    assert Week.of_year(1990)[0] == week("1990-01-01")
    assert Week.of_year(2099)[-1] == week("2099-12-28")
    with pytest.raises(InvalidWeek):
        Week.of_year(2099)[-1].next()


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (dt.date.min, "1990-01-01"),
        (dt.date(2026, 11, 22), "2026-11-16"),
        (dt.date.max, "2099-12-28"),
    ],
)
def test_every_day_has_a_nearest_week(day: dt.date, found: str) -> None:
    assert Week.nearest(day) == week(found)


@pytest.mark.parametrize("text", ["2026-11-17", "yesterday", "", "2026-13-01"])
def test_what_is_no_monday_is_no_week(text: str) -> None:
    with pytest.raises(InvalidWeek):
        Week.parse(text)
