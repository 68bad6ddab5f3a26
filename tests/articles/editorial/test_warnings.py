"""What is said before a text comes out: another language in the field, typewritten marks."""

from __future__ import annotations

import pytest
from django.test import Client

from articles.editorial.warnings import publish_warnings
from articles.models import Article, ArticleText
from tests.articles.browser import change_url, form_data_of, visible_text
from tests.factories import make_article

pytestmark = pytest.mark.django_db
RUSSIAN = "<p>Правительство снова повысило цены на топливо, и это не последнее повышение.</p>"


def test_a_russian_text_in_the_belarusian_field_is_noticed() -> None:
    found = publish_warnings(ArticleText("be", "Бюджэт", "", RUSSIAN))
    assert found == ["Беларуская, body: this looks like another language, Русский."]
    assert publish_warnings(ArticleText("ru", "Бюджет", "", RUSSIAN)) == []


def test_typewritten_marks_are_noticed_with_the_field_that_has_them() -> None:
    found = publish_warnings(ArticleText("be", 'Пра "бюджэт"', "", "<p>Гэта не ўсё.</p>"))
    assert len(found) == 1
    assert found[0].endswith("are left in: title.")


def test_marks_of_another_language_are_noticed() -> None:
    found = publish_warnings(ArticleText("be", "Пра “бюджэт”", "", "<p>Гэта не ўсё.</p>"))
    assert found == ["Беларуская, title: marks that another language uses are left: ”"]


def test_it_is_said_when_a_text_is_scheduled_too(desk: Client) -> None:
    article = make_article(published_in=())
    pressed = {"_do": "schedule:be", "schedule_be": "2999-01-01T10:00"}
    page = desk.post(
        change_url(article), form_data_of(article, body_be=RUSSIAN, **pressed), follow=True
    )
    assert "this looks like another language, Русский." in visible_text(page)
    assert Article.objects.get().language_rows["be"].status == "scheduled"


def test_a_link_or_an_attribute_is_no_text() -> None:
    assert (
        publish_warnings(
            ArticleText("en", "", "", '<p><a href="https://example.org/">Here</a></p>')
        )
        == []
    )


def test_it_is_said_before_publishing_and_what_was_typed_is_saved(desk: Client) -> None:
    article = make_article(published_in=())
    page = desk.post(
        change_url(article), form_data_of(article, body_be=RUSSIAN, _publish="be"), follow=True
    )
    told = visible_text(page)
    assert "this looks like another language, Русский." in told
    assert "It is saved, and not published yet." in told
    assert "Publish anyway" in told
    article = Article.objects.get()
    assert article.public_languages == []
    assert article.body_be == RUSSIAN
    desk.post(change_url(article), form_data_of(article, _publish="be!"))
    assert Article.objects.get().public_languages == ["be"]


def test_a_text_without_doubts_comes_out_at_once(desk: Client) -> None:
    article = make_article(published_in=())
    assert "Publish anyway" not in visible_text(desk.get(change_url(article)))
    desk.post(change_url(article), form_data_of(article, _publish="be"))
    assert Article.objects.get().public_languages == ["be"]
