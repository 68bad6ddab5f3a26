"""The parts of our scripts that know nothing of a page, asked in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from articles.text import typography

ASK = """
async ([source, name, args]) => {
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return (await import(address))[name](...args);
}
"""


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page()
    yield page
    page.close()


def ask(page: Page, script: str, name: str, *args: Any) -> Any:
    """What a function of a script in static/ answers."""
    source = (settings.BASE_DIR / "static" / f"{script}.js").read_text()
    return page.evaluate(ASK, [source, name, list(args)])


def set_right(page: Page, code: str, text: str, before: str = "") -> Any:
    marks = typography.editor_config(code)
    return ask(page, "typography", "correctText", marks, text, before)


@pytest.mark.parametrize(
    ("code", "typewritten", "right"),
    [
        ("en", """He said "it's 'so'" -- no""", "He said “it’s ‘so’” – no"),
        ("en", '"a" ("b")', "“a” (“b”)"),
        ("ru", '"Так" - и "нет"', "«Так»\u00a0— и «нет»"),
        ("be", '"сям\'я "Дом""', "«сям’я „Дом“»"),
        ("ru", "5-6 и кое-что", "5-6 и кое-что"),
        ("en", "", ""),
    ],
)
def test_a_text_is_set_right_as_its_language_writes(
    page: Page, code: str, typewritten: str, right: str
) -> None:
    assert set_right(page, code, typewritten) == right


@pytest.mark.parametrize("code", ["en", "be", "ru"])
def test_what_is_right_already_stays(page: Page, code: str) -> None:
    right = set_right(page, code, 'a "b" - c')
    assert right != 'a "b" - c'
    assert set_right(page, code, right) == right


def test_what_stood_before_in_the_paragraph_says_which_mark_is_next(page: Page) -> None:
    assert set_right(page, "en", 'so"', "He said “") == "so”"


def test_a_second_hyphen_makes_a_dash_of_both(page: Page) -> None:
    marks = typography.editor_config("en")
    assert ask(page, "typography", "replacementFor", marks, "-", "a -") == [marks["dash"], 1]


def test_a_letter_is_what_it_is(page: Page) -> None:
    assert (
        ask(page, "typography", "replacementFor", typography.editor_config("en"), "a", "b") is None
    )


@pytest.mark.parametrize(
    ("text", "words", "minutes"),
    [("", 0, 1), ("сям’я і дзве-тры 2026", 4, 1), ("word " * 500, 500, 3)],
)
def test_a_text_is_as_long_as_its_words(page: Page, text: str, words: int, minutes: int) -> None:
    assert ask(page, "typography", "length", text) == {"words": words, "minutes": minutes}


def test_a_sentence_has_its_places_filled_and_others_left(page: Page) -> None:
    sentence = "{name}: {place} of {all}, {name}"
    said = ask(page, "interpolate", "interpolate", sentence, {"name": "$& {all}", "place": 2})
    assert said == "$& {all}: 2 of {all}, $& {all}"
