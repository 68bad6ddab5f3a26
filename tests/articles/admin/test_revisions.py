"""Revisions: who changed one language, when and how; and bringing a text back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from articles.editorial.saving import save_article
from articles.models import Article
from tests.articles.browser import analyst_client, visible_text
from tests.articles.requests import count_queries
from tests.factories import MONDAY_MORNING, make_article, make_user

pytestmark = pytest.mark.django_db


def place(article: Article, language: str = "be", query: str = "") -> str:
    return f"/admin/articles/article/{article.pk}/revisions/{language}/{query}"


def rewritten(article: Article, times: int = 1) -> Article:
    for number in range(times):
        article.title_be = f"Загаловак {number}"
        article.title_ru = f"Заголовок {number}"
        save_article(article, by=make_user(username="second"), now=MONDAY_MORNING)
    return article


def test_it_tells_who_changed_what_and_when(desk: Client) -> None:
    article = rewritten(make_article(published_in=()))
    page = desk.get(place(article))
    told = visible_text(page)
    assert "From revision 1 to 2" in told
    assert "second" in told
    assert "23 November 2026" in told
    assert "removed: Бюджэт be" in told, "said to whoever hears the page, too"
    assert "added: Загаловак 0" in told
    assert "+2 −2" in told, "how much"
    assert "Revision 1, the first" in visible_text(desk.get(place(article, query="?show=1")))


def test_any_two_are_compared(desk: Client) -> None:
    article = rewritten(make_article(published_in=()), times=3)
    assert "From revision 2 to 4" in visible_text(
        desk.get(place(article, query="?show=4&against=2"))
    )


def test_revisions_of_different_pages_are_compared_too(desk: Client) -> None:
    article = rewritten(make_article(published_in=()), times=40)
    first, second = (
        visible_text(desk.get(place(article, query=f"?page={page}"))) for page in (1, 2)
    )
    assert "Older" in first
    assert "Newer" in second
    page = desk.get(place(article, query="?page=2&show=11&against=40"))
    assert "From revision 40 to 11" in visible_text(page)
    assert '<option value="40" selected>' in page.content.decode()


@pytest.mark.both_databases
def test_one_language_comes_back_and_the_others_stay(desk: Client) -> None:
    article = rewritten(make_article(published_in=()))
    page = desk.post(place(article), {"restore": "1"}, follow=True)
    assert "Revision 1 is back, as the newest one." in visible_text(page)
    assert "revision 1 brought back" in visible_text(page)
    article = Article.objects.get()
    assert (article.title_be, article.title_ru) == ("Бюджэт be", "Заголовок 0")
    assert article.revisions.filter(language="be").count() == 3, "and nothing is lost"


def test_a_get_brings_nothing_back(desk: Client) -> None:
    article = rewritten(make_article(published_in=()))
    desk.get(place(article, query="?restore=1"))
    assert Article.objects.get().title_be == "Загаловак 0"


def test_an_emptied_draft_comes_back(desk: Client) -> None:
    article = make_article(published_in=())
    article.title_be = article.lead_be = article.body_be = ""
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    assert "be" not in Article.objects.get().language_rows
    desk.post(place(article), {"restore": "1"})
    row = Article.objects.get().language_rows["be"]
    assert row.revision == 3
    assert Article.objects.get().title_be == "Бюджэт be"


def test_a_public_text_is_brought_back_by_who_may_publish_only(desk: Client) -> None:
    analyst = analyst_client()
    article = rewritten(make_article(owner=User.objects.get(username="analyst")))
    assert "Bring back" not in visible_text(analyst.get(place(article, query="?show=1")))
    assert analyst.post(place(article), {"restore": "1"}).status_code == 403
    assert desk.post(place(article), {"restore": "1"}).status_code == 302
    assert Article.objects.get().title_be == "Бюджэт be"


def test_a_public_text_is_not_emptied_by_a_revision(desk: Client) -> None:
    article = make_article(published_in=())
    before = {field: getattr(article, f"{field}_be") for field in ("title", "lead", "body")}
    for texts in (dict.fromkeys(before, ""), before):
        for field, text in texts.items():
            setattr(article, f"{field}_be", text)
        save_article(article, by=article.owner, now=MONDAY_MORNING)
    desk.post(f"/admin/articles/article/{article.pk}/revisions/be/", {})
    article.article_languages.filter(language="be").update(
        status="published", published_at=MONDAY_MORNING
    )
    page = desk.post(place(article), {"restore": "2"}, follow=True)
    assert "Withdraw it before you empty it." in visible_text(page)
    assert Article.objects.get().title_be == "Бюджэт be"


@pytest.mark.both_databases
def test_nonsense_is_no_crash(desk: Client) -> None:
    article = make_article(published_in=())
    for number in ("", "99", "x", "9" * 40, "-1", "٣"):
        assert desk.get(place(article, query=f"?show={number}&against={number}")).status_code == 200
        assert desk.post(place(article), {"restore": number}).status_code == 404
    assert desk.get(place(article, "xx")).status_code == 404


def test_the_page_asks_the_database_as_often_for_many_as_for_few(desk: Client) -> None:
    article = rewritten(make_article(published_in=()))

    few = count_queries(desk, place(article))
    rewritten(article, times=20)
    assert count_queries(desk, place(article)) == few <= 25
