"""A week at the desk in Chromium: three people with their roles, from the first Russian word to
the withdrawal of an article that is in a digest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from articles.models import Article
from newsroom import languages
from staff import roles
from staff.second_factor import needs_second_factor
from tests.articles.browser import ADD, LIST, page_of
from tests.browsing import Visitor
from tests.factories import enrol, make_topic, make_user

pytestmark = pytest.mark.django_db(transaction=True)
EDITOR = ".cke_wysiwyg_div[lang={}]"


@pytest.fixture
def windows(chromium: Browser, live_server: LiveServer) -> Iterator[dict[str, Visitor]]:
    """A window for each of them, logged in."""
    with contextlib.ExitStack() as stack:
        opened = {}
        for name, role in (
            ("analyst", roles.ANALYST),
            ("translator", roles.TRANSLATOR),
            ("editor", roles.EDITOR),
            ("second", roles.EDITOR),
        ):
            context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
            stack.callback(context.close)
            opened[name] = Visitor(context, live_server.url)
            opened[name].log_in(member(name, role))
        yield opened
        for visitor in opened.values():
            assert visitor.refused == visitor.errors == []


def member(name: str, role: str) -> Any:
    user = make_user(username=name, is_superuser=False, enrolled=False)
    user.groups.add(Group.objects.get(name=role))
    if needs_second_factor(user):
        enrol(user)
    return user


def open_tab(visitor: Visitor, path: str, language: str) -> Page:
    """An article's form, in one of its languages."""
    page = visitor.go(path)
    page.get_by_role("tab", name=language).click()
    code = next(code for code in languages.codes() if languages.own_name(code) == language)
    expect(page.locator(EDITOR.format(code))).to_be_visible()
    return page


def write(page: Page, code: str, title: str, body: str) -> None:
    page.locator(f"[name=title_{code}]").fill(title)
    typing = page.locator(EDITOR.format(code))
    typing.click()
    page.keyboard.press("Control+a")
    page.keyboard.type(body)


def press(page: Page, button: str) -> None:
    """Waits for the page that follows."""
    with page.expect_navigation():
        page.get_by_role("button", name=button, exact=True).locator("visible=true").first.click()


def chip(visitor: Visitor, code: str) -> str:
    """What the list says of the newest article in a language."""
    page = visitor.go(LIST)
    found = page.locator("#result_list .chips").first.locator(".chip", has_text=code.upper())
    return found.get_attribute("title") or ""


def test_a_week_at_the_desk(windows: dict[str, Visitor], client: Any) -> None:
    topic = make_topic()

    # An analyst writes in Russian, and hands it in.
    page = open_tab(windows["analyst"], ADD, "Русский")
    page.locator("[name=topic]").select_option(str(topic.pk))
    page.locator("[name=week]").fill("2026-11-18")
    page.locator("[name=verdict]").select_option("worsened")
    write(page, "ru", "Бюджет", "Бюджет растёт.")
    press(page, "Hand in for review")
    article = Article.objects.get()
    assert article.owner.get_username() == "analyst"
    assert chip(windows["editor"], "ru") == "Русский: In review"

    # A translator adds Belarusian.
    page = open_tab(windows["translator"], page_of(article), "Беларуская")
    write(page, "be", "Бюджэт", "Бюджэт расце.")
    press(page, "Save and continue editing")
    assert chip(windows["editor"], "be") == "Беларуская: Draft"

    # An editor edits the Russian: stale; puts it back: not any more.
    page = open_tab(windows["editor"], page_of(article), "Русский")
    write(page, "ru", "Бюджет", "Бюджет сокращён.")
    press(page, "Save and continue editing")
    assert chip(windows["editor"], "be") == "Беларуская: Draft, stale"
    page = open_tab(windows["translator"], page_of(article), "Беларуская")
    expect(page.get_by_text("The text in Русский has changed")).to_be_visible()
    page = open_tab(windows["editor"], page_of(article), "Русский")
    write(page, "ru", "Бюджет", "Бюджет растёт.")
    press(page, "Save and continue editing")
    assert chip(windows["editor"], "be") == "Беларуская: Draft"

    # Publishes both.
    for language, path in (("Русский", "ru"), ("Беларуская", "be")):
        page = open_tab(windows["editor"], page_of(article), language)
        press(page, "Publish")
        assert client.get(f"/{path}/{article.pk}/").status_code == 200

    # Two editors collide.
    first = open_tab(windows["editor"], page_of(article), "Русский")
    second = open_tab(windows["second"], page_of(article), "Русский")
    write(first, "ru", "Бюджет", "Первый текст.")
    press(first, "Publish changes")
    write(second, "ru", "Бюджет", "Второй текст.")
    press(second, "Publish changes")
    expect(second.get_by_text("editor saved another text on")).to_be_visible()
    expect(second.locator(".conflict-text", has_text="Первый текст.")).to_be_visible()
    second.get_by_label("Keep mine").check()
    press(second, "Publish changes")
    assert "Второй текст." in client.get(f"/ru/{article.pk}/", follow=True).content.decode()

    # And the whole of it is withdrawn.
    page = windows["editor"].go(page_of(article))
    page.locator("summary", has_text="Withdraw").click()
    page.get_by_role("link", name="Withdraw the whole article").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    press(page, "Withdraw the whole article")
    assert client.get(f"/ru/{article.pk}/").status_code == 410
