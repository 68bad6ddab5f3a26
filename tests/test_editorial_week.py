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

from articles.models import Article, Digest, Picture
from core import languages
from newsletter.models import Mailing
from staff import roles
from staff.second_factor import needs_second_factor
from tests.articles.browser import ADD, LIST, change_url
from tests.chromium import BrowserWindow
from tests.factories import a_jpeg, enrol, make_article, make_edition, make_topic, make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
EDITOR = ".cke_wysiwyg_div[lang={}]"


@pytest.fixture
def windows(chromium: Browser, live_server: LiveServer) -> Iterator[dict[str, BrowserWindow]]:
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
            opened[name] = BrowserWindow(context, live_server.url)
            stack.callback(opened[name].close)
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


def open_tab(visitor: BrowserWindow, path: str, language: str) -> Page:
    """An article's form, in one of its languages."""
    page = visitor.go(path)
    page.get_by_role("tab", name=language).click()
    code = next(code for code in languages.codes() if languages.native_name(code) == language)
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


def chip(visitor: BrowserWindow, code: str) -> str:
    """What the list says of the newest article in a language."""
    page = visitor.go(LIST)
    found = page.locator("#result_list .chips").first.locator(".chip", has_text=code.upper())
    return found.get_attribute("title") or ""


def test_a_week_at_the_desk(windows: dict[str, BrowserWindow], client: Any) -> None:
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

    # A translator writes Belarusian beside it.
    page = windows["translator"].go(f"{LIST}{article.pk}/translate/be/")
    expect(page.locator(".translating-source")).to_contain_text("Бюджет растёт.")
    write(page, "be", "Бюджэт", "Бюджэт расце.")
    press(page, "Save")
    assert chip(windows["editor"], "be") == "Беларуская: Draft"

    # An editor edits the Russian: stale; puts it back: not any more.
    page = open_tab(windows["editor"], change_url(article), "Русский")
    write(page, "ru", "Бюджет", "Бюджет сокращён.")
    press(page, "Save and continue editing")
    assert chip(windows["editor"], "be") == "Беларуская: Draft, stale"
    page = windows["translator"].go("/admin/")
    expect(page.get_by_text("The text in Русский has changed")).to_be_visible()
    page = windows["translator"].go(f"{LIST}{article.pk}/translate/be/")
    expect(page.locator(".translating-changes ins")).to_contain_text("сокращён")
    page = open_tab(windows["editor"], change_url(article), "Русский")
    write(page, "ru", "Бюджет", "Бюджет растёт.")
    press(page, "Save and continue editing")
    assert chip(windows["editor"], "be") == "Беларуская: Draft"

    # Publishes both.
    for language, path in (("Русский", "ru"), ("Беларуская", "be")):
        page = open_tab(windows["editor"], change_url(article), language)
        press(page, "Publish")
        assert client.get(f"/{path}/{article.pk}/", follow=True).status_code == 200

    # Two editors collide.
    first = open_tab(windows["editor"], change_url(article), "Русский")
    second = open_tab(windows["second"], change_url(article), "Русский")
    write(first, "ru", "Бюджет", "Первый текст.")
    press(first, "Publish changes")
    write(second, "ru", "Бюджет", "Второй текст.")
    press(second, "Publish changes")
    expect(second.get_by_text("editor saved another text on")).to_be_visible()
    expect(second.locator(".conflict-text", has_text="Первый текст.")).to_be_visible()
    second.get_by_label("Keep mine").check()
    press(second, "Publish changes")
    assert "Второй текст." in client.get(f"/ru/{article.pk}/", follow=True).content.decode()

    # A picture is uploaded on the way into the text, and readers see it.
    page = open_tab(windows["editor"], change_url(article), "Русский")
    with windows["editor"].context.expect_page() as opening:
        page.locator(".cke_button__picture:visible").click()
    library = opening.value
    library.goto(f"{windows['editor'].url}/admin/articles/picture/add/?_popup=1&_to_field=id")
    upload = {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": a_jpeg()}
    library.locator("input[type=file]").set_input_files([upload])
    library.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(f"{EDITOR.format('ru')} figure img")).to_be_visible()
    press(page, "Publish changes")
    readers = client.get(f"/ru/{article.pk}/", follow=True).content.decode()
    assert f"{Picture.objects.get().key}/320.avif 320w" in readers

    # A digest is gathered, arranged by the keyboard, its gap settled, and approved as shown.
    make_edition(code="en")
    make_edition(code="be-ru")
    second_article = make_article(
        topic=make_topic(code="west", position=2), written_in=("ru",), title="Второе"
    )
    page = windows["editor"].go("/admin/articles/digest/add/")
    page.locator("[name=week]").fill("2026-11-18")
    press(page, "Save and continue editing")
    expect(page.get_by_text("How far the week is")).to_be_visible()
    page.get_by_role("button", name="Move “Бюджэт” down").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ordering")).to_contain_text("is now 2 of 2")
    page.get_by_label("What to do without elite en in English").select_option("show other")
    press(page, "Save and continue editing")
    digest = Digest.objects.get()
    assert digest.ordered_articles() == [second_article, article]
    page.get_by_role("link", name="Approve and freeze").click()
    expect(page.get_by_role("listitem").filter(has_text="Второе ru").first).to_be_visible()
    press(page, "Approve and freeze")
    expect(page.get_by_text("Approved and frozen")).to_be_visible()
    assert Mailing.objects.count() == 2

    # And an article in it is withdrawn: from the site, and from the letters that wait.
    page = windows["editor"].go(change_url(article))
    page.locator("summary", has_text="Withdraw").click()
    page.get_by_role("link", name="Withdraw the whole article").click()
    expect(page.get_by_text("is cancelled, and its digest opens again").first).to_be_visible()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    press(page, "Withdraw the whole article")
    assert client.get(f"/ru/{article.pk}/").status_code == 410
    digest.refresh_from_db()
    assert not digest.is_approved
    assert not Mailing.objects.not_cancelled().exists()
