"""Marks as each language writes them."""

from __future__ import annotations

import pytest
from django.conf import settings

from newsroom.typography import for_editor, is_typewritten, marks_of


@pytest.mark.parametrize(
    "text", ['He said "no".', "It's", "A pause - and on", "A pause -- and on", "сям'я"]
)
def test_typewritten_marks_are_seen(text: str) -> None:
    assert is_typewritten(text)


@pytest.mark.parametrize(
    "text",
    ["He said “no”.", "It’s", "A pause – and on", "well-known", "16–22", "«Так» — сказаў", ""],
)
def test_right_ones_raise_no_doubt(text: str) -> None:
    assert not is_typewritten(text)


def test_every_language_of_the_newsroom_has_its_marks_in_the_editor() -> None:
    for code, _name in settings.LANGUAGES:
        told = settings.CKEDITOR_CONFIGS[f"body_{code}"]["typography"]
        assert told == for_editor(code)
    assert marks_of("be").opening == "«"
    assert marks_of("en").opening == "“"
    assert marks_of("xx") == marks_of("en")
