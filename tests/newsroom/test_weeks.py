"""The week and how each language names it."""

import datetime as dt

import pytest

from newsroom.weeks import NotAWeek, Week, long_date


def week(text: str) -> Week:
    return Week.parse(text)


def test_a_week_within_a_month_names_the_month_once() -> None:
    assert week("2026-11-16").label("en") == "16–22 November 2026"
    assert week("2026-11-16").label("ru") == "16–22 ноября 2026\N{NARROW NO-BREAK SPACE}г."
    assert week("2026-11-16").label("be") == "16–22 лістапада 2026\N{NARROW NO-BREAK SPACE}г."


def test_a_week_across_months_names_both() -> None:
    assert week("2026-11-30").label("en") == "30 November – 6 December 2026"
    assert (
        week("2026-11-30").label("be") == "30 лістапада – 6 снежня 2026\N{NARROW NO-BREAK SPACE}г."
    )


def test_a_week_across_years_names_both_years() -> None:
    assert week("2025-12-29").label("en") == "29 December 2025 – 4 January 2026"
    assert (
        week("2025-12-29").label("ru")
        == "29 декабря 2025\N{NARROW NO-BREAK SPACE}г. – 4 января 2026\N{NARROW NO-BREAK SPACE}г."
    )


def test_the_short_label_leaves_the_year_out() -> None:
    assert week("2025-01-13").short_label("en") == "13–19 January"
    assert week("2025-01-13").short_label("be") == "13–19 студзеня"
    assert week("2025-12-29").short_label("en") == "29 December – 4 January"


@pytest.mark.parametrize(
    ("month", "be", "ru"),
    [
        (1, "студзеня", "января"),
        (2, "лютага", "февраля"),
        (3, "сакавіка", "марта"),
        (4, "красавіка", "апреля"),
        (5, "мая", "мая"),
        (6, "чэрвеня", "июня"),
        (7, "ліпеня", "июля"),
        (8, "жніўня", "августа"),
        (9, "верасня", "сентября"),
        (10, "кастрычніка", "октября"),
        (11, "лістапада", "ноября"),
        (12, "снежня", "декабря"),
    ],
)
def test_months_stand_in_the_genitive(month: int, be: str, ru: str) -> None:
    assert long_date(dt.date(2026, month, 5), "be").startswith(f"5 {be} 2026")
    assert long_date(dt.date(2026, month, 5), "ru").startswith(f"5 {ru} 2026")


def test_any_day_of_it_finds_the_week() -> None:
    assert Week.containing(dt.date(2026, 11, 22)) == week("2026-11-16")
    assert Week.containing(dt.date(2026, 11, 23)) == week("2026-11-23")
    assert Week.last_full(dt.date(2026, 11, 23)) == week("2026-11-16")


@pytest.mark.parametrize("text", ["1989-12-25", "2100-01-04", "9999-12-27", "0001-01-01"])
def test_a_monday_that_is_too_far_away_is_no_week(text: str) -> None:
    with pytest.raises(NotAWeek, match="Weeks are 1990-01-01 to 2099-12-28"):
        Week.parse(text)


def test_the_weeks_there_are_make_whole_years() -> None:
    assert Week.of_year(1990)[0] == week("1990-01-01")
    assert Week.of_year(2099)[-1] == week("2099-12-28")
    with pytest.raises(NotAWeek):
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
    with pytest.raises(NotAWeek):
        Week.parse(text)
