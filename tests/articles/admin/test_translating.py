"""One language beside another: the source to read, what changed in it, and the text to write."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from articles.editorial.autosave import save_draft
from articles.editorial.saving import save_article
from articles.models import Article, ArticleText, Draft
from tests.articles.browser import analyst_client, visible_text
from tests.articles.requests import count_queries
from tests.factories import MONDAY_MORNING, make_article, make_user
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db


def place(article: Article, target: str = "be", source: str = "") -> str:
    query = f"?from={source}" if source else ""
    return f"/admin/articles/article/{article.pk}/translate/{target}/{query}"


def opened(desk: Client, path: str, **typed: Any) -> dict[str, Any]:
    """What a browser posts that has opened the page: its hidden fields, and what was typed."""
    html = desk.get(path).content.decode()
    hidden = re.findall(r'<input type="hidden" name="(\w+)"(?: value="(\w*)")?', html)
    return {**{name: value for name, value in hidden if name != "csrfmiddlewaretoken"}, **typed}


def beside(title: str = "Бюджэт", body: str = "<p>Бюджэт расце.</p>") -> dict[str, str]:
    return {"title_be": title, "lead_be": "", "body_be": body}


def translated(*, stale: bool = True, **fields: Any) -> Article:
    """Written in Russian; the Belarusian was made from it, or from what it said before."""
    make_article(written_in=("ru", "be"), **fields)
    article = Article.objects.get()
    russian, belarusian = article.language_rows["ru"], article.language_rows["be"]
    russian.set_source("", "")
    belarusian.set_source("ru", "1:x" if stale else russian.fingerprint)
    return Article.objects.get()


def as_it_is(article: Article) -> dict[str, str]:
    text = article.text_in("be")
    return {"title_be": text.title, "lead_be": text.lead, "body_be": text.body}


def test_any_language_stands_beside_any_other(desk: Client) -> None:
    article = make_article(written_in=("en", "ru"), published_in=())
    for source, title in (("en", "The budget en"), ("ru", "Бюджет ru")):
        page = normalize_html(desk.get(place(article, "be", source)).content.decode())
        assert f'<div class="language-text" lang="{source}" tabindex="0"><h3>{title}</h3>' in page
        assert 'name="title_be"' in page
        assert "title_ru" not in page, "the source is only read"
    assert "Бюджет ru" in visible_text(desk.get(place(article, "en", "ru")))


@pytest.mark.both_databases
def test_a_translation_remembers_what_it_was_made_from_and_by_whom(desk: Client) -> None:
    article = make_article(written_in=("en", "ru"), published_in=())
    path = place(article, "be", "en")
    desk.post(path, opened(desk, path, **beside()))
    article = Article.objects.get()
    row = article.language_rows["be"]
    assert (row.source_language, row.translator) == ("en", make_user())
    assert row.source_fingerprint == article.language_rows["en"].fingerprint
    assert article.title_be == "Бюджэт"


def test_it_shows_what_changed_in_the_source_since(desk: Client) -> None:
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    desk.post(path, opened(desk, path, **beside()))
    assert "What has changed in it" not in visible_text(desk.get(path))
    article = Article.objects.get()
    article.body_ru = "<p>Бюджет сокращён.</p>"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    told = visible_text(desk.get(path))
    assert "Бюджет removed: растёт added: сокращён ." in told
    desk.post(path, opened(desk, path, **beside(body="<p>Бюджэт скарочаны.</p>")))
    assert Article.objects.get().stale_languages == []
    assert "What has changed in it" not in visible_text(desk.get(path))


def test_a_source_that_moved_on_while_it_was_translated_leaves_it_stale(desk: Client) -> None:
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    mine = opened(desk, path, **beside())
    article.title_ru = "Иначе"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    page = desk.post(path, mine, follow=True)
    assert "The source has changed while you were writing" in visible_text(page)
    assert Article.objects.get().stale_languages == ["be"]


def test_the_same_translation_by_two_people_is_asked_about(desk: Client) -> None:
    article = make_article(written_in=("ru", "be"), published_in=())
    path = place(article)
    mine, theirs = (opened(desk, path, **beside(title)) for title in ("Мой", "Іхні"))
    second = Client()
    second.force_login(make_user(username="second"))
    second.post(path, theirs)
    page = desk.post(path, mine)
    assert page.status_code == 200
    assert "second saved another text on" in visible_text(page)
    assert 'value="Мой"' in page.content.decode()
    assert "removed: Іхні added: Мой" in visible_text(page)
    desk.post(path, {**mine, "choice_be": "mine", "seen_be": "2"})
    assert Article.objects.get().title_be == "Мой"


def test_its_buttons_publish_hand_in_and_say_still_right(desk: Client) -> None:
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    desk.post(path, opened(desk, path, _publish="be", **beside()))
    assert Article.objects.get().public_languages == ["be"]
    article = Article.objects.get()
    article.title_ru = "Иначе"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    # Not "anew": what was typed stays, and only rests on the source as it is.
    desk.post(path, opened(desk, path, _do="mark-current:be", **beside()))
    assert Article.objects.get().stale_languages == []


def test_a_translator_writes_what_the_article_was_not_written_in() -> None:
    translator = analyst_client(may=("translate_article",))
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    assert translator.post(path, opened(translator, path, **beside())).status_code == 302
    assert translator.get(place(article, "ru", "be")).status_code == 403
    article = Article.objects.get()
    assert article.title_be == "Бюджэт"
    assert article.language_rows["be"].translator == User.objects.get(username="analyst")


def test_what_a_translator_changes_in_a_public_text_is_handed_in() -> None:
    translator = analyst_client(may=("translate_article",))
    make_article(written_in=("ru", "be"))
    article = Article.objects.get()
    article.article_languages.get(language="be").set_source("ru", "1:x")
    path = place(Article.objects.get())
    page = translator.post(path, opened(translator, path, **beside("Іначай")), follow=True)
    assert "Your changes in Беларуская wait for an editor" in visible_text(page)
    assert Article.objects.get().title_be == "Бюджэт be"
    assert Draft.objects.submitted().get().title == "Іначай"


def test_without_another_text_there_is_nothing_to_translate_from(desk: Client) -> None:
    article = make_article(written_in=("be",), published_in=())
    page = desk.get(place(article), follow=True)
    assert "There is no other language to translate from yet." in visible_text(page)


@pytest.mark.parametrize("path", ["translate/xx/", "translate/be/?from=xx"])
def test_a_nonsense_language_is_no_crash(desk: Client, path: str) -> None:
    article = make_article(published_in=())
    answer = desk.get(f"/admin/articles/article/{article.pk}/{path}")
    assert answer.status_code in (200, 404)
    assert desk.get("/admin/articles/article/99/translate/be/").status_code == 404


def test_the_page_asks_the_database_as_often_for_many_revisions(desk: Client) -> None:
    article = make_article(written_in=("ru", "be"), published_in=())

    few = count_queries(desk, place(article))
    for number in range(5):
        article.title_be = f"Загаловак {number}"
        save_article(article, by=article.owner, now=MONDAY_MORNING)
    assert count_queries(desk, place(article)) == few <= 25


def test_a_public_text_is_not_emptied_beside_its_source(desk: Client) -> None:
    article = make_article(written_in=("ru", "be"))
    path = place(article)
    page = desk.post(path, opened(desk, path, **beside(title="", body="<p>Новы тэкст.</p>")))
    assert page.status_code == 200
    assert "Withdraw it before you empty it." in visible_text(page)
    assert "Новы тэкст." in page.content.decode(), "what was typed is still there"
    assert Article.objects.get().title_be == "Бюджэт be"


def test_who_only_publishes_a_translation_did_not_make_it(desk: Client) -> None:
    translator = analyst_client(may=("translate_article",))
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    translator.post(path, opened(translator, path, **beside()))
    desk.post(path, opened(desk, path, _publish="be", **as_it_is(Article.objects.get())))
    row = Article.objects.get().language_rows["be"]
    assert row.is_public
    assert row.translator == User.objects.get(username="analyst")


def test_a_translator_says_that_a_public_text_is_still_right() -> None:
    translator = analyst_client(may=("translate_article",))
    article = translated()
    path = place(article)
    still_right = {"_do": "mark-current:be", **as_it_is(article)}
    page = translator.post(path, opened(translator, path, **still_right))
    assert page.status_code == 302
    assert Article.objects.get().stale_languages == []
    assert "wait for an editor" not in visible_text(translator.get(path))


def test_still_right_is_said_of_the_source_that_was_shown(desk: Client) -> None:
    article = translated(published_in=())
    path = place(article)
    mine = opened(desk, path, **{"_do": "mark-current:be"}, **as_it_is(article))
    article.title_ru = "Иначе"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    page = desk.post(path, mine, follow=True)
    assert "The source has changed while you were writing" in visible_text(page)
    assert Article.objects.get().stale_languages == ["be"]


def test_what_was_only_looked_at_beside_another_language_keeps_its_source(desk: Client) -> None:
    article = translated(stale=False, published_in=())
    article.title_en, article.body_en = "The budget", "<p>The budget grows.</p>"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    path = place(article, "be", "en")
    desk.post(path, opened(desk, path, **as_it_is(article)))
    assert Article.objects.get().language_rows["be"].source_language == "ru"


def test_who_takes_over_anothers_text_did_not_translate_it(desk: Client) -> None:
    article = translated(published_in=())
    path = place(article)
    mine, theirs = (opened(desk, path, **beside(title)) for title in ("Мой", "Іхні"))
    second = Client()
    second.force_login(make_user(username="second"))
    second.post(path, theirs)
    desk.post(path, {**mine, "choice_be": "theirs", "seen_be": "2"})
    assert Article.objects.get().title_be == "Іхні"
    assert Article.objects.get().language_rows["be"].translator == make_user(username="second")


def test_a_text_does_not_become_the_translation_of_its_own_translation(desk: Client) -> None:
    article = translated(stale=False, published_in=())
    path = place(article, "ru", "be")
    desk.post(
        path, opened(desk, path, title_ru="Иначе", lead_ru="", body_ru="<p>Бюджет падает.</p>")
    )
    article = Article.objects.get()
    assert article.title_ru == "Иначе"
    assert article.original_languages == ["ru"]
    assert article.stale_languages == ["be"]


def test_the_language_that_was_shown_is_the_source_whatever_came_in_between(desk: Client) -> None:
    article = make_article(written_in=("en",), published_in=())
    path = place(article)
    mine = opened(desk, path, **beside())
    article.title_ru, article.body_ru = "Бюджет", "<p>Бюджет растёт.</p>"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    desk.post(path, mine)
    article = Article.objects.get()
    row = article.language_rows["be"]
    assert row.source_language == "en"
    assert row.source_fingerprint == article.language_rows["en"].fingerprint


def test_what_was_typed_into_an_article_that_somebody_deleted_is_kept(desk: Client) -> None:
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    mine = opened(desk, path, **beside())
    article.delete()
    page = desk.post(path, mine, follow=True)
    assert "Somebody has deleted this article." in visible_text(page)
    assert Draft.objects.without_article().get().title == "Бюджэт"


def test_what_is_too_long_to_be_saved_can_be_thrown_away(desk: Client) -> None:
    article = make_article(written_in=("ru",), published_in=())
    path = place(article)
    long = beside(body=f"<p>{'слова ' * 35_000}</p>")
    text = ArticleText("be", long["title_be"], "", long["body_be"])
    save_draft(make_user(), article.pk, text, 0, MONDAY_MORNING)
    desk.post(path, opened(desk, path, **{"_do": "discard:be"}, **long))
    assert not Draft.objects.exists()


def test_a_correction_of_a_public_translation_may_carry_a_note(desk: Client) -> None:
    article = make_article(written_in=("ru", "be"))
    path = place(article)
    desk.post(path, opened(desk, path, note_be="Выпраўлена лічба.", **beside("Іначай")))
    [correction] = Article.objects.get().corrections.all()
    assert (correction.language, correction.note) == ("be", "Выпраўлена лічба.")
