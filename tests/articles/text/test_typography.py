"""Marks as each language writes them."""

from __future__ import annotations

import pytest
from django.conf import settings

from articles.text.typography import (
    editor_config,
    foreign_marks,
    has_typewriter_marks,
    punctuation_of,
)


@pytest.mark.parametrize(
    "text",
    [
        'He said "no".',
        "It's",
        "A pause - and on",
        "A pause -- and on",
        "сям'я",
        "So 'quoted'",
        "'90s",
    ],
)
def test_typewritten_marks_are_seen(text: str) -> None:
    assert has_typewriter_marks(text)


@pytest.mark.parametrize(
    "text",
    [
        "He said “no”.",
        "It’s",
        "A pause – and on",
        "well-known",
        "16–22",
        "«Так» — сказаў",
        "5'6",
        "",
    ],
)
def test_right_ones_raise_no_doubt(text: str) -> None:
    assert not has_typewriter_marks(text)


def test_every_language_of_the_newsroom_has_its_marks_in_the_editor() -> None:
    for code, _name in settings.LANGUAGES:
        told = settings.CKEDITOR_CONFIGS[f"body_{code}"]["typography"]
        assert told == editor_config(code)
    assert punctuation_of("be").opening == "«"
    assert punctuation_of("en").opening == "“"
    assert punctuation_of("xx") == punctuation_of("en")


@pytest.mark.parametrize(
    ("text", "language", "marks"),
    [
        ("Ён сказаў “так” – і пайшоў", "be", ["”", "–"]),
        ("Ён сказаў: «кніга „Так“ мая» — і сям’я, 16–22", "be", []),
        ("Он сказал ‘да’ и ‘нет’", "ru", ["‘"]),
        ("He said «yes» — and went", "en", ["«", "»", "—"]),
        ("He said “it’s ‘so’” – and went", "en", []),
    ],
)
def test_marks_of_another_language_are_named_once(
    text: str, language: str, marks: list[str]
) -> None:
    assert foreign_marks(text, language) == marks
