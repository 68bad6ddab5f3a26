"""The barometer in Chromium: on the narrowest phone, to who hears it, by keyboard, and on paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from articles.models import Topic
from tests.articles.public.test_barometer import change
from tests.chromium import open_page
from tests.factories import WEEK, make_article, make_edition, make_topic

pytestmark = pytest.mark.django_db
PHONE, TABLET, SMALL_DESK, DESK = 320, 768, 1024, 1280


@pytest.fixture(scope="module")
def a_year(shared_rows: None) -> None:
    """In which one verdict was corrected."""
    make_edition()
    for position, code in enumerate(("elite", "west", "russia")):
        topic = make_topic(code=code, position=position)
        Topic.objects.filter(pk=topic.pk).update(name_be="Невымоўна доўгая назва тэмы")
        for weeks in range(position, 46, position + 1):
            make_article(
                topic=topic,
                week=WEEK.previous(weeks),
                verdict="worsened",
                written_in=("en", "be"),
            )
    change(make_article(topic=make_topic(code="late", position=9), verdict="improved"), verdict="")


@pytest.fixture
def page(chromium: Browser, a_year: None, db: None) -> Iterator[Page]:
    """A window without a script."""
    with open_page(chromium, java_script_enabled=False) as page:
        yield page


def roles(page: Page) -> Counter[str]:
    """What stands in the table for who hears it, by Chromium's own tree."""
    session = page.context.new_cdp_session(page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    found = Counter(node["role"]["value"] for node in nodes if not node["ignored"])
    return Counter({role: found[role] for role in ("table", "columnheader", "rowheader", "cell")})


def seen(page: Page, texts: str) -> list[str]:
    """Which of these are there to be seen."""
    return [one.text_content() or "" for one in page.locator(texts).all() if one.is_visible()]


@pytest.mark.long
def test_no_page_has_to_be_scrolled_sideways(page: Page) -> None:
    for path in ("/be/barometer/", "/be/topics/elite/", "/be/"):
        page.goto(path)
        for width in (PHONE, TABLET, SMALL_DESK, DESK):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.locator("html").evaluate("it => it.scrollWidth")
            assert wide <= width, (path, width)


def test_the_table_is_the_same_to_who_hears_it_in_a_narrow_window_and_a_wide_one(
    page: Page,
) -> None:
    page.set_viewport_size({"width": DESK, "height": 900})
    page.goto("/en/barometer/")
    wide = roles(page)
    assert (wide["table"], wide["columnheader"], wide["rowheader"]) == (1, 5, 46)
    assert wide["cell"] == 46 * 4
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert roles(page) == wide


@pytest.mark.long
def test_a_topics_name_stands_once_in_each_line_of_quarters(page: Page) -> None:
    for width, in_a_line in ((PHONE, 1), (TABLET, 2), (SMALL_DESK, 2), (DESK, 4)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto("/en/barometer/")
        tops = [strip.bounding_box() for strip in page.locator(".strip").all()]
        lines = Counter(round(box["y"]) for box in tops if box)
        assert set(lines.values()) == {in_a_line}, width
        assert seen(page, ".strip .label").count("west en") == 4 / in_a_line, width


def test_the_keyboard_passes_over_the_marks_to_the_table(page: Page) -> None:
    page.goto("/en/barometer/")
    skip = page.get_by_role("link", name="Skip to the table")
    skip.focus()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Every verdict")).to_be_focused()


def test_a_mark_is_a_link_that_says_everything(page: Page) -> None:
    page.goto("/en/barometer/")
    mark = page.get_by_role("link", name="late en: no verdict")
    expect(mark).to_have_accessible_name(
        "16–22 November · late en: no verdict · The budget en · "
        "Corrected, 24 November 2026 (before: Improved)"
    )
    mark.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The budget en")


def test_paper_has_the_picture_and_the_table_and_no_links_to_files(page: Page) -> None:
    page.emulate_media(media="print")
    page.goto("/en/barometer/")
    expect(page.locator(".strip").first).to_be_visible()
    expect(page.locator(".verdicts")).to_be_visible()
    expect(page.locator(".data")).to_be_hidden()
    expect(page.locator(".topics")).to_be_hidden()
