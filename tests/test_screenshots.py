"""The tool that photographs the demo, on one page of a site of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from docs.screenshots import ADMIN, CHOSEN, LETTERS, PHONE, SITE, Shot, TooWide, choose, take
from tests.factories import make_article

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
HOME = SITE[0]


def test_it_photographs_a_page_by_day_and_by_night(
    chromium: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    make_article()
    page = chromium.new_page()
    corners = []
    for theme in ("light", "dark"):
        with Image.open(
            take(page, live_server.url, HOME.path, HOME, PHONE, theme, tmp_path)
        ) as image:
            assert image.width == PHONE
            corners.append(sum(image.convert("RGB").getpixel((0, 0))))
    page.close()
    assert corners[0] > 600 > 200 > corners[1]


def test_it_says_which_page_is_wider_than_its_window(chromium: Browser, tmp_path: Path) -> None:
    page = chromium.new_page()
    wide = "data:text/html,<p style='width: 500px'>wide</p>"
    with pytest.raises(TooWide, match=r"wide-360-light\.png"):
        take(page, wide, "", Shot("wide", ""), PHONE, "light", tmp_path)
    page.close()


def test_the_documents_pictures_are_photographs_that_it_takes(tmp_path: Path) -> None:
    taken = {
        f"{shot.name}-{width}-{theme}"
        for shot in (*SITE, *ADMIN, *LETTERS)
        for width in shot.widths
        for theme in ("light", "dark")
    }
    assert set(CHOSEN.values()) <= taken
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for source in CHOSEN.values():
        Image.new("RGB", (400, 3000), "white").save(tmp_path / f"{source}.png")
    choose(tmp_path, pictures)
    assert {file.stem for file in pictures.iterdir()} == set(CHOSEN)
