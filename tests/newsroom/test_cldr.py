"""Dates, plurals and marks of all languages, held against CLDR as Babel brings it.

Babel has intervals with short months only; its patterns say how a range is put together, and the
long month is put in their place.
"""

from __future__ import annotations

import datetime as dt
import gettext
import re
from pathlib import Path

import pytest
from babel.dates import format_date
from babel.messages.pofile import read_po
from django.conf import settings

from articles.models import ArticleText
from articles.text.typography import foreign_marks, has_typewriter_marks
from core import languages
from core.weeks import Week, long_date, month_name
from demo.content.content import read_content

YEARS = range(2024, 2031)
WEEKS = [week for year in YEARS for week in Week.of_year(year)]
EVERY_DAY = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(366)]
SPACES = re.compile(r"\s+")
YEAR_SIGN = re.compile(r"(?<=\d)\s*г\.")
EVERY_LANGUAGE = pytest.mark.parametrize("language", languages.codes())
TRANSLATED = pytest.mark.parametrize("language", ["be", "ru"])
CATALOGUE = "locale/{}/LC_MESSAGES/django.po"


def plain(text: str) -> str:
    """With one kind of space and without the sign of a year, which CLDR's long dates alone have."""
    return YEAR_SIGN.sub("", SPACES.sub(" ", text)).strip()


def as_cldr_has_it(start: dt.date, end: dt.date, language: str, skeleton: str) -> str:
    """A range, by the pattern for the largest part in which its ends differ."""
    locale = languages.locale(language)
    largest = "y" if start.year != end.year else "M" if start.month != end.month else "d"
    # Where the year is not written, CLDR has no pattern for one that changes.
    patterns = locale.interval_formats[skeleton]
    first, last = patterns[largest if largest in patterns else "M"]
    long = [re.sub("M{3,4}", "MMMM", part) for part in (first, last)]
    return format_date(start, long[0], locale) + format_date(end, long[1], locale)


@EVERY_LANGUAGE
def test_every_week_of_seven_years_is_a_range_as_cldr_puts_it_together(language: str) -> None:
    assert {week.monday.month for week in WEEKS} == set(range(1, 13))
    crossing = [week for week in WEEKS if week.monday.month != week.sunday.month]
    assert {week.monday.month for week in crossing} == set(range(1, 13))
    for week in WEEKS:
        ends = (week.monday, week.sunday, language)
        assert plain(week.label(language)) == plain(as_cldr_has_it(*ends, "yMMMd"))
        assert plain(week.short_label(language)) == plain(as_cldr_has_it(*ends, "MMMd"))


@EVERY_LANGUAGE
def test_every_day_of_a_leap_year_is_as_cldr_writes_it(language: str) -> None:
    locale = languages.locale(language)
    for day in EVERY_DAY:
        month = locale.months["format"]["wide"][day.month]
        assert plain(long_date(day, language)) == f"{day.day} {month} {day.year}"


@TRANSLATED
def test_a_month_beside_a_day_is_in_the_genitive_and_by_itself_in_the_nominative(
    language: str,
) -> None:
    for month in range(1, 13):
        beside = long_date(dt.date(2026, month, 5), language).split()[1]
        assert beside != month_name(month, language)
        assert beside.endswith(("а", "я"))
        assert month_name(month, language).endswith(("ь", "й", "т", "к", "ы", "д"))


@EVERY_LANGUAGE
def test_a_week_begins_on_the_day_that_cldr_says(language: str) -> None:
    assert languages.locale(language).first_week_day == 0
    assert {week.monday.weekday() for week in WEEKS} == {0}


@TRANSLATED
def test_a_number_has_the_form_of_the_word_that_cldr_gives_it(language: str) -> None:
    """Each of gettext's forms is one of CLDR's categories: 1, 21; 2, 24; 5, 11, 112."""
    with Path(settings.BASE_DIR, CATALOGUE.format(language)).open("rb") as file:
        form_of = gettext.c2py(read_po(file, locale=language).plural_expr)
    category_of = languages.locale(language).plural_form
    pairs = {(form_of(number), category_of(number)) for number in range(1_200)}
    assert pairs == {(0, "one"), (1, "few"), (2, "many")}


@TRANSLATED
def test_our_own_words_have_the_quotation_marks_and_dashes_of_their_language(
    language: str,
) -> None:
    with Path(settings.BASE_DIR, CATALOGUE.format(language)).open("rb") as file:
        catalogue = read_po(file, locale=language)
    wrong = []
    for message in catalogue:
        forms = [message.string] if isinstance(message.string, str) else message.string
        for text in forms if message.id else []:
            said = re.sub("<[^>]+>", "", text)
            if foreign_marks(said, language) or has_typewriter_marks(said):
                wrong.append(text)
    assert wrong == []


def test_the_demos_texts_have_the_marks_of_their_languages() -> None:
    wrong = [
        (text.language, text.title)
        for week in read_content().weeks.values()
        for article in week
        for text in article.texts
        for said in (text.title, text.lead, re.sub("<[^>]+>", "", text.body))
        if foreign_marks(said, text.language) or has_typewriter_marks(said)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("language", "title", "slug"),
    [
        ("be", "Абвяшчэнне ў Гродне: ці ёсць выйсце?", "abviashchenne-u-hrodne-tsi-iosts-vyistse"),
        ("be", "Зʼезд і аб’ява", "zezd-i-abiava"),
        ("be", "ЎГАДКІ", "uhadki"),
        ("ru", "Объявление в Гродно: есть ли выход?", "obiavlenie-v-grodno-est-li-vykhod"),
        ("ru", "Ещё один съезд", "eshche-odin-sezd"),
        ("en", "A “quiet” week – 5 things", "a-quiet-week-5-things"),
    ],
)
def test_a_slug_reads_as_the_title_does(language: str, title: str, slug: str) -> None:
    assert ArticleText(language, title, "", "").slug == slug


@pytest.mark.parametrize(
    ("language", "letters"),
    [
        ("be", "абвгдеёжзійклмнопрстуўфхцчшыьэюя"),
        ("ru", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    ],
)
def test_no_letter_is_lost_from_a_slug(language: str, letters: str) -> None:
    for letter in letters:
        for spelt in (letter, letter.upper()):
            slug = ArticleText(language, f"а{spelt}а", "", "").slug
            assert slug.isascii()
            assert len(slug) >= (2 if letter in "ьъ" else 3), letter
