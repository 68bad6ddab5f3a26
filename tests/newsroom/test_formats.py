"""Dates and numbers in the admin, as people of each language write them."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django import forms
from django.template import Context, Template
from django.utils import formats, timesince, translation

from core import languages
from core.weeks import Week, long_date

EVERY_MONTH = [dt.date(2024, month, 4) for month in range(1, 13)]


def shown(day: dt.date, filters: str = "date") -> str:
    """As a template's `date` filter writes it."""
    return Template(f"{{{{ day|{filters} }}}}").render(Context({"day": day}))


@pytest.mark.parametrize("language", languages.codes())
def test_dates_in_the_admin_are_as_on_public_pages(language: str) -> None:
    with translation.override(language):
        for day in EVERY_MONTH:
            assert shown(day) == re.sub(r"\s*г\.$", "", long_date(day, language))


def test_a_month_by_itself_is_in_the_nominative() -> None:
    with translation.override("be"):
        assert [shown(day, "date:'F'") for day in EVERY_MONTH] == [
            *("студзень", "люты", "сакавік", "красавік", "май", "чэрвень"),
            *("ліпень", "жнівень", "верасень", "кастрычнік", "лістапад", "снежань"),
        ]


def test_english_puts_the_day_before_the_month_and_counts_24_hours() -> None:
    moment = dt.datetime(2024, 11, 4, 15, 5)  # noqa: DTZ001
    with translation.override("en"):
        assert shown(moment.date()) == "4 November 2024"
        assert formats.date_format(moment, "DATETIME_FORMAT") == "4 November 2024, 15:05"
    with translation.override("be"):
        assert formats.date_format(moment, "DATETIME_FORMAT") == "4 лістапада 2024, 15:05"
    with translation.override("ru"):
        assert formats.date_format(moment, "DATETIME_FORMAT") == "4 ноября 2024, 15:05"


@pytest.mark.parametrize("language", languages.codes())
def test_weeks_begin_on_monday(language: str) -> None:
    with translation.override(language):
        assert formats.get_format("FIRST_DAY_OF_WEEK") == 1


@pytest.mark.parametrize(
    ("language", "number"), [("en", "12,345.5"), ("be", "12\xa0345,5"), ("ru", "12\xa0345,5")]
)
def test_numbers_have_the_marks_of_their_language(language: str, number: str) -> None:
    with translation.override(language):
        assert formats.number_format(12345.5, force_grouping=True) == number
        mark = formats.get_format("DECIMAL_SEPARATOR")
        assert forms.FloatField(localize=True).clean(f"12345{mark}5") == 12345.5


@pytest.mark.parametrize(
    ("language", "typed"),
    [
        ("en", "2024-03-04"),
        ("en", "04/03/2024"),
        ("be", "04.03.2024"),
        ("be", "4.3.24"),
        ("be", "2024-03-04"),
        ("ru", "04.03.2024"),
        ("ru", "2024-03-04"),
    ],
)
def test_a_date_is_read_as_it_is_written(language: str, typed: str) -> None:
    with translation.override(language):
        assert forms.DateField().clean(typed) == dt.date(2024, 3, 4)


@pytest.mark.parametrize("language", languages.codes())
def test_the_date_widget_fills_in_what_the_form_reads_back(language: str) -> None:
    """The calendar writes the first of the input formats."""
    with translation.override(language):
        first = formats.get_format("DATE_INPUT_FORMATS")[0]
        day = Week.parse("2024-11-04").monday
        assert forms.DateField().clean(day.strftime(first)) == day


@pytest.mark.parametrize(
    ("number", "be", "ru"),
    [
        (1, "1 дзень", "1 день"),
        (2, "2 дні", "2 дня"),
        (5, "5 дзён", "5 дней"),
        (6, "6 дзён", "6 дней"),
    ],
)
def test_spans_of_time_are_counted_right(number: int, be: str, ru: str) -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    for language, wanted in (("be", be), ("ru", ru)):
        with translation.override(language):
            span = timesince.timesince(start, start + dt.timedelta(days=number))
            assert span.replace("\xa0", " ") == wanted
