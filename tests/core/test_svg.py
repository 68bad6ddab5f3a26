"""SVG as text."""

from __future__ import annotations

from django.utils import translation

from core import svg
from tests.svg_measures import elements_of, size_of


def test_no_text_and_no_attribute_gets_out_of_its_place() -> None:
    evil = '"><script>alert(1)</script>'
    picture = svg.svg((0, 0, 9, 9), svg.text(1, 2, evil), aria_label=evil)
    assert "<script" not in picture
    assert elements_of(picture, "svg")[0]["aria-label"] == evil
    assert elements_of(picture, "text")[0]["text"] == evil


def test_numbers_are_the_same_in_every_language() -> None:
    with translation.override("be"):
        picture = svg.svg((0, -14, 12_000, 7.5), svg.line(0, 0.5, 1, 2.0))
    assert size_of(picture) == (12_000, 7.5)
    [line] = elements_of(picture, "line")
    assert (line["y1"], line["y2"]) == ("0.5", "2")
