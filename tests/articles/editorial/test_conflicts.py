"""Two people at one article: nobody overwrites anybody, and nothing typed is lost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from articles.models import Article, Draft
from tests.articles.browser import ADD, LIST, change_url, form_data, form_data_of, visible_text
from tests.factories import make_article, make_topic, make_user

pytestmark = pytest.mark.django_db


def another_desk() -> Client:
    client = Client()
    client.force_login(make_user(username="second"))
    return client


def opened(desk: Client, article: Article, **changes: Any) -> dict[str, Any]:
    """What a browser posts that has opened the page and typed these."""
    page = desk.get(change_url(article)).content.decode()
    [seen] = re.findall(r'name="seen"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="seen"', page)
    return form_data_of(article, seen=(seen[0] or seen[1]).replace("&quot;", '"'), **changes)


def test_two_languages_saved_at_once_are_both_kept(desk: Client) -> None:
    article = make_article(published_in=())
    mine, theirs = opened(desk, article, title_ru="Моё"), opened(desk, article, title_be="Іхняе")
    assert another_desk().post(change_url(article), theirs).status_code == 302
    assert desk.post(change_url(article), mine).status_code == 302
    article.refresh_from_db()
    assert (article.title_ru, article.title_be) == ("Моё", "Іхняе")


def test_the_same_language_shows_both_texts_and_saves_neither_by_itself(desk: Client) -> None:
    article = make_article(published_in=())
    mine, theirs = opened(desk, article, title_ru="Моё"), opened(desk, article, title_ru="Их")
    another_desk().post(change_url(article), theirs)
    page = desk.post(change_url(article), mine)
    assert page.status_code == 200
    assert "second saved another text on" in visible_text(page)
    html = page.content.decode()
    assert "<h3>Их</h3>" in html
    assert "<h3>Моё</h3>" in html
    assert 'value="Моё"' in html, "what was typed is still in the form"
    article.refresh_from_db()
    assert article.title_ru == "Их"


@pytest.mark.parametrize(("choice", "kept"), [("mine", "Моё"), ("theirs", "Их")])
def test_the_second_one_chooses_having_seen_both(desk: Client, choice: str, kept: str) -> None:
    article = make_article(published_in=())
    mine, theirs = opened(desk, article, title_ru="Моё"), opened(desk, article, title_ru="Их")
    another_desk().post(change_url(article), theirs)
    assert desk.post(change_url(article), {**mine, "choice_ru": choice}).status_code == 200, (
        "a choice before the other text was seen is none"
    )
    chosen = {**mine, "choice_ru": choice, "seen_ru": "2"}
    assert desk.post(change_url(article), chosen).status_code == 302
    article.refresh_from_db()
    assert article.title_ru == kept
    assert article.revisions.filter(language="ru", title="Их").exists(), "nothing is lost"


def test_a_third_text_asks_anew(desk: Client) -> None:
    article = make_article(published_in=())
    mine = opened(desk, article, title_ru="Моё")
    second = another_desk()
    second.post(change_url(article), opened(second, article, title_ru="Их"))
    article.refresh_from_db()
    second.post(change_url(article), opened(second, article, title_ru="Ещё"))
    page = desk.post(change_url(article), {**mine, "choice_ru": "mine", "seen_ru": "2"})
    assert page.status_code == 200
    assert "<h3>Ещё</h3>" in page.content.decode()


def test_whoever_typed_nothing_in_a_language_takes_over_what_was_saved(desk: Client) -> None:
    article = make_article(published_in=())
    stale = opened(desk, article, title_be="Мой")
    # As CKEditor breaks the lines of what it was given.
    stale["body_ru"] = f"{stale['body_ru']}\n\n"
    second = another_desk()
    second.post(change_url(article), opened(second, article, title_ru="Их"))
    assert desk.post(change_url(article), stale).status_code == 302
    article.refresh_from_db()
    assert (article.title_be, article.title_ru) == ("Мой", "Их")


def test_a_fact_that_two_people_change_is_asked_about_and_another_is_kept(desk: Client) -> None:
    article = make_article(published_in=())
    west, east = make_topic(code="west"), make_topic(code="east")
    mine = opened(desk, article, topic=west.pk, verdict="improved")
    second = another_desk()
    second.post(change_url(article), opened(second, article, topic=east.pk))
    page = desk.post(change_url(article), mine)
    assert "Somebody changed this while you were writing. Choose once more." in visible_text(page)
    article.refresh_from_db()
    assert (article.topic, article.verdict) == (east, "")

    seen = json.dumps({**json.loads(mine["seen"]), "topic": east.pk})
    assert desk.post(change_url(article), {**mine, "seen": seen}).status_code == 302
    article.refresh_from_db()
    assert (article.topic, article.verdict) == (west, "improved")


def test_a_fact_that_only_the_other_changed_stays(desk: Client) -> None:
    article = make_article(published_in=())
    mine = opened(desk, article, title_ru="Моё")
    second = another_desk()
    second.post(change_url(article), opened(second, article, verdict="worsened"))
    desk.post(change_url(article), mine)
    article.refresh_from_db()
    assert (article.title_ru, article.verdict) == ("Моё", "worsened")


def test_rubbish_in_the_hidden_fields_is_no_crash(desk: Client) -> None:
    article = make_article(published_in=())
    for seen in ("", "no", "[]", "{", "1", '{"topic": {}}', "[" * 5000):
        sent = form_data_of(article, title_ru="Моё", seen=seen, base_ru="x", seen_ru="9" * 50)
        assert desk.post(change_url(article), sent).status_code in (200, 302)


def test_what_was_typed_into_an_article_that_somebody_deleted_is_kept(desk: Client) -> None:
    article = make_article(published_in=())
    mine, address = opened(desk, article, title_ru="Моё"), change_url(article)
    another_desk().post(f"{LIST}{article.pk}/delete/", {"post": "yes"})
    page = desk.post(address, mine, follow=True)
    assert "Somebody has deleted this article." in visible_text(page)
    kept = Draft.objects.without_article().get(language="ru")
    assert (kept.title, kept.owner.username) == ("Моё", "editor")


def test_what_was_typed_comes_back_and_goes_once_it_is_saved(desk: Client) -> None:
    article = make_article(published_in=())
    Draft.objects.create(
        owner=User.objects.get(username="editor"),
        article=article,
        language="be",
        base_revision=1,
        title="Набрана",
        body="<p>Тэкст.</p>",
        saved_at=article.created_at,
    )
    page = desk.get(change_url(article))
    assert 'value="Набрана"' in page.content.decode()
    assert "This is what you typed until" in visible_text(page)
    desk.post(change_url(article), form_data_of(article, title_be="Набрана"))
    assert not Draft.objects.exists()


def test_what_was_typed_can_be_thrown_away(desk: Client) -> None:
    article = make_article(published_in=())
    for row in (article, None):
        Draft.objects.create(
            owner=User.objects.get(username="editor"),
            article=row,
            language="be",
            title="Набрана",
            saved_at=article.created_at,
        )
    desk.post(change_url(article), form_data_of(article, title_be="Іншае", _do="discard:be"))
    article.refresh_from_db()
    assert article.title_be == "Бюджэт be"
    assert Draft.objects.count() == 1
    assert 'value="Набрана"' in desk.get(ADD).content.decode()
    desk.post(ADD, form_data(_do="discard:be"))
    assert not Draft.objects.exists()
