"""What is being typed: kept on the server a moment after the typing stops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from articles.models import Article, Draft
from tests.articles.browser import ADD, analyst_client, change_url
from tests.chromium import BrowserWindow
from tests.factories import MONDAY_MORNING, make_article, make_user

DRAFT = "/admin/articles/article/draft/"


def typed(article: Article | None, **texts: Any) -> dict[str, Any]:
    return {
        "article": article.pk if article else "",
        "language": "be",
        "base": 1 if article else 0,
        "title": "Набрана",
        "lead": "",
        "body": "<p>Тэкст.</p>",
        **texts,
    }


@pytest.mark.django_db
class TestTheAddress:
    """Where a browser posts it."""

    def test_it_keeps_one_for_each_person_and_language(self, desk: Client) -> None:
        article = make_article(published_in=())
        for title in ("Адзін", "Два"):
            answer = desk.post(DRAFT, typed(article, title=title))
            assert answer.json()["kept"] is True
        second = Client()
        second.force_login(make_user(username="second"))
        second.post(DRAFT, typed(article, title="Іншы"))
        assert set(Draft.objects.values_list("owner__username", "title")) == {
            ("editor", "Два"),
            ("second", "Іншы"),
        }
        article.refresh_from_db()
        assert article.title_be == "Бюджэт be", "the columns are reached through Save only"

    def test_a_text_that_is_saved_already_is_no_draft(self, desk: Client) -> None:
        article = make_article(published_in=())
        desk.post(DRAFT, typed(article))
        text = article.text_in("be")
        same = {"title": text.title, "lead": text.lead, "body": f"{text.body}\n"}
        assert desk.post(DRAFT, typed(article, **same)).json()["kept"] is False
        # A late message, sent before the page knew that its text was saved.
        assert desk.post(DRAFT, typed(article, base=0, **same)).json()["kept"] is False
        assert not Draft.objects.exists()

    def test_looking_at_what_was_handed_in_does_not_take_it_back(self, desk: Client) -> None:
        article = make_article(published_in=())
        desk.post(DRAFT, typed(article))
        Draft.objects.get().submit_for_review(MONDAY_MORNING)
        desk.post(DRAFT, typed(article, body="<p>Тэкст.</p>\n"))
        assert Draft.objects.submitted().exists()
        desk.post(DRAFT, typed(article, title="Набрана зноў"))
        assert not Draft.objects.submitted().exists()

    def test_a_new_articles_draft_waits_on_its_form(self, desk: Client) -> None:
        desk.post(DRAFT, typed(None))
        assert 'value="Набрана"' in desk.get(ADD).content.decode()

    def test_scripts_are_gone_before_they_are_kept(self, desk: Client) -> None:
        article = make_article(published_in=())
        desk.post(DRAFT, typed(article, body="<p>Тэкст.</p><script>alert(1)</script>"))
        assert Draft.objects.get().body == "<p>Тэкст.</p>"

    def test_nobody_keeps_one_where_they_may_not_write(self) -> None:
        article, analyst = make_article(published_in=()), analyst_client()
        assert analyst.post(DRAFT, typed(article)).status_code == 403
        assert analyst.post(DRAFT, typed(None)).status_code == 200
        assert Client().post(DRAFT, typed(article)).status_code == 302, "to the log-in"
        assert Draft.objects.get().article is None

    def test_one_for_an_article_that_was_deleted_is_kept(self, desk: Client) -> None:
        article = make_article(published_in=())
        sent = typed(article)
        article.delete()
        assert desk.post(DRAFT, sent).json()["kept"] is True
        assert Draft.objects.without_article().get().title == "Набрана"

    def test_rubbish_gets_a_clear_answer(self, desk: Client) -> None:
        sent = typed(make_article(published_in=()))
        wrong: list[tuple[int, dict[str, str]]] = [
            (400, {"language": "xx"}),
            (400, {"language": ""}),
            (413, {"body": "x" * 250_001}),
            (200, {"article": "9" * 40}),
            (200, {"article": "x", "base": "x"}),
            (200, {"title": "x" * 5000}),
        ]
        for status, changed in wrong:
            answer = desk.post(DRAFT, {**sent, **changed})
            assert answer.status_code == status
            assert status == 200 or answer.json()["error"]

    def test_a_draft_without_article_begins_a_new_one_or_is_thrown_away(self, desk: Client) -> None:
        article = make_article(published_in=())
        sent = typed(article)
        article.delete()
        desk.post(DRAFT, sent)
        draft = Draft.objects.get()
        assert desk.get(f"{DRAFT}{draft.pk}/begin/").status_code == 405
        assert analyst_client().post(f"{DRAFT}{draft.pk}/discard/").status_code == 302
        assert Draft.objects.exists(), "only one's own"
        assert desk.post(f"{DRAFT}{draft.pk}/begin/").headers["Location"] == ADD
        assert 'value="Набрана"' in desk.get(ADD).content.decode()
        desk.post(f"{DRAFT}{draft.pk}/discard/")
        assert not Draft.objects.exists()


@pytest.fixture
def editor(chromium: Browser, live_server: LiveServer) -> Iterator[BrowserWindow]:
    """The window of a superuser."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    visitor = BrowserWindow(context, live_server.url)
    visitor.log_in(make_user())
    yield visitor
    visitor.close()


@pytest.mark.django_db(transaction=True)
class TestInABrowser:
    """As it happens to people."""

    def test_what_was_typed_comes_back_after_a_crash(self, editor: BrowserWindow) -> None:
        article = make_article(published_in=())
        page = editor.go(change_url(article))
        page.locator("[name=title_en]").fill("Typed")
        page.locator(".cke_wysiwyg_div:visible").click()
        page.keyboard.press("Control+a")
        page.keyboard.type("And more.")
        expect(page.get_by_text(re.compile("Draft saved"))).to_be_visible()
        # The tab dies: nothing of it says goodbye.
        page.goto("about:blank")
        page = editor.go(change_url(article))
        expect(page.locator("[name=title_en]")).to_have_value("Typed")
        expect(page.locator(".cke_wysiwyg_div:visible")).to_have_text("And more.")
        expect(page.get_by_text("This is what you typed until")).to_be_visible()
        assert editor.refused == editor.errors == []
        article.refresh_from_db()
        assert article.title_en == "The budget en"

    @pytest.mark.long
    def test_an_expired_log_in_loses_nothing(self, editor: BrowserWindow) -> None:
        article = make_article(published_in=())
        page = editor.go(change_url(article))
        cookies = editor.context.cookies()
        editor.context.clear_cookies()
        page.locator("[name=title_en]").fill("Typed")
        expect(page.get_by_text("You are logged out.")).to_be_visible()
        assert not Draft.objects.exists()

        # Logged in anew in another tab: another session, and another token for forms.
        session = [one for one in cookies if one["name"] == settings.SESSION_COOKIE_NAME]
        editor.context.add_cookies(session)
        expect(page.get_by_text(re.compile("Draft saved"))).to_be_visible(timeout=20_000)
        assert Draft.objects.get().title == "Typed"
        with page.expect_navigation():
            page.get_by_role("button", name="Save and continue editing").click()
        article.refresh_from_db()
        assert article.title_en == "Typed"
        assert not Draft.objects.exists()

    def test_saving_with_an_expired_log_in_loses_nothing(self, editor: BrowserWindow) -> None:
        article = make_article(published_in=())
        for number, path in enumerate((change_url(article), translation_of(article))):
            page = editor.go(path)
            cookies = editor.context.cookies()
            editor.context.clear_cookies()
            page.locator("[name=title_en]").fill(f"Typed {number}")
            page.locator("[name=_save]:visible").first.click()
            expect(page.get_by_text("You are logged out.")).to_be_visible()
            expect(page.locator("[name=title_en]")).to_have_value(f"Typed {number}")

            session = [one for one in cookies if one["name"] == settings.SESSION_COOKIE_NAME]
            editor.context.add_cookies(session)
            with page.expect_navigation():
                page.locator("[name=_save]:visible").first.click()
            article.refresh_from_db()
            assert article.title_en == f"Typed {number}"

    def test_a_long_text_is_kept_when_its_tab_is_left_at_once(self, editor: BrowserWindow) -> None:
        article = make_article(published_in=())
        page = editor.go(change_url(article))
        # A beacon carries 64 KB and no more, and no timer comes to its help here.
        long = "слова " * 12_000
        with page.expect_response(lambda answer: answer.url.endswith(DRAFT)) as kept:
            page.evaluate(
                """(long) => {
                  window.setTimeout = () => 0;
                  const lead = document.querySelector("[name=lead_en]");
                  lead.value = long;
                  lead.dispatchEvent(new Event("input", { bubbles: true }));
                  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
                  document.dispatchEvent(new Event("visibilitychange"));
                }""",
                long,
            )
        assert kept.value.ok
        assert Draft.objects.get().lead == long

    @pytest.mark.long
    def test_a_translation_is_typed_beside_its_source_and_outlives_a_reload(
        self, editor: BrowserWindow
    ) -> None:
        article = make_article(written_in=("ru",), published_in=())
        page = editor.go(translation_of(article, "be"))
        expect(page.locator(".translating-source")).to_contain_text("Бюджет растёт.")
        page.locator("[name=title_be]").fill("Бюджэт")
        page.locator(".cke_wysiwyg_div:visible").click()
        page.keyboard.type("Бюджэт расце.")
        expect(page.get_by_text(re.compile("Draft saved"))).to_be_visible()
        page.reload()
        expect(page.locator("[name=title_be]")).to_have_value("Бюджэт")
        expect(page.locator(".cke_wysiwyg_div:visible")).to_have_text("Бюджэт расце.")
        with page.expect_navigation():
            page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved: Беларуская.")).to_be_visible()
        article = Article.objects.get()
        assert (article.title_be, article.body_be) == ("Бюджэт", "<p>Бюджэт расце.</p>")
        assert article.language_rows["be"].source_language == "ru"
        assert not Draft.objects.exists()
        assert editor.refused == editor.errors == []


def translation_of(article: Article, target: str = "en") -> str:
    return f"/admin/articles/article/{article.pk}/translate/{target}/"
