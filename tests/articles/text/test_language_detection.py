"""Which language a text is in, by its letters and its commonest words."""

from __future__ import annotations

import pytest

from articles.text.language_detection import detect_language

CODES = ["en", "be", "ru"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Урад зноў павысіў цэны на паліва, і гэта не апошняе падвышэнне.", "be"),
        ("Правительство снова повысило цены на топливо, и это не последнее повышение.", "ru"),
        ("The government has raised fuel prices again, and not for the last time.", "en"),
        ("Ён быў у Мінску", "be"),
        ("Он был в Минске", "ru"),
        # A quotation says nothing of the text around it.
        ("Кіраўнік сказаў: «Мы ищем лучшие решения и щадящие меры». Ніхто яму не паверыў.", "be"),
        # A name in another alphabet makes no other language.
        ("Компания Google и её щедрые инвестиции в регионы", "ru"),
    ],
)
def test_it_is_recognised(text: str, language: str) -> None:
    assert detect_language(text, CODES) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "Газ",
        "Google Chrome: новая версия",
        "Выбары выборы",
        "На што глядзець? Что дальше?",
    ],
)
def test_what_says_too_little_is_left_open(text: str) -> None:
    assert detect_language(text, CODES) is None


def test_a_language_that_it_knows_nothing_of_is_never_named() -> None:
    assert detect_language("Ўрад зноў павысіў цэны", ["en", "lt"]) is None
