"""The public pages."""

from __future__ import annotations

import re

import pytest
from django.template.loader import render_to_string
from django.test import Client

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.models import Author, Correction, SiteSettings
from articles.public import selectors
from tests.articles.requests import get_page
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_topic,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def masthead() -> None:
    make_edition(code="en")
    make_edition(code="be-ru")
    SiteSettings.objects.create(
        pk=1, name_be="Погляд", digest_title_be="Сітуацыя", digest_title_en="Situation"
    )


def test_an_article_has_all_its_parts(client: Client) -> None:
    article = make_article(verdict="worsened")
    article.authors.add(Author.objects.create(code="zubr", name_be="Марта Зубр"))
    related = make_article(week=WEEK.previous(), title="Раней")
    Correction.objects.create(
        article=article, language="be", corrected_at=MONDAY_MORNING, note="Лічба выпраўлена."
    )
    text = get_page(client, article.path_in("be"))
    for part in (
        WEEK.label("be"),
        "elite be",
        article.title_be,
        "Пагоршылася",
        article.lead_be,
        article.body_be,
        "Марта Зубр",
        "Лічба выпраўлена.",
        "Чытайце таксама",
        related.title_be,
        f'Сітуацыя: <span class="week-range">{WEEK.short_label("be")}</span>',
        "Глядзець усё",
        'value="be-ru"',
        'value="en"',
    ):
        assert part in text, part


def test_the_id_is_the_key_and_the_slug_follows_the_title(client: Client) -> None:
    article = make_article(title="Ўлада і гроші")
    path = f"/be/{article.pk}/ulada-i-hroshi-be/"
    assert article.path_in("be") == path
    for other in (f"/be/{article.pk}/", f"/be/{article.pk}/another-slug/"):
        assert client.get(other, follow=True).redirect_chain == [(path, 301)]
    assert f'rel="canonical" href="http://127.0.0.1:8000{path}"' in get_page(client, path)


def test_a_language_that_is_missing_is_said_to_be_missing(client: Client) -> None:
    article = make_article(written_in=("ru", "en"))
    text = get_page(client, f"/be/{article.pk}/")
    assert "беларуску пакуль няма" in text
    assert article.path_in("ru") in text
    assert "noindex" in text
    assert article.body_ru not in text


def test_the_switcher_stays_on_the_page(client: Client) -> None:
    article = make_article()
    for path in (
        article.path_in("be"),
        "/be/topics/elite/",
        f"/be/weeks/{WEEK}/",
        "/be/subscribe/",
    ):
        text = get_page(client, path)
        tail = path.removeprefix("/be/")
        own = path == article.path_in("be")
        wanted = article.path_in("ru") if own else f"/ru/{tail}"
        assert f'href="{wanted}" hreflang="ru"><span lang="ru">' in text, path


def test_a_list_names_the_language_of_what_is_in_another(client: Client) -> None:
    make_article(published_in=("be", "ru"))
    make_article(topic=make_topic(code="west", position=2), published_in=("ru",), title="Толькі")
    text = get_page(client, f"/be/weeks/{WEEK}/")
    assert "Мова: руская" in text
    assert (
        "Мова"
        not in get_page(client, f"/ru/weeks/{WEEK}/").partition("<main")[2].partition("<aside")[0]
    )


def test_what_is_missing_is_offered_in_the_nearest_language(client: Client) -> None:
    article = make_article(written_in=("en", "ru"))
    text = get_page(client, f"/be/weeks/{WEEK}/")
    assert article.title_ru in text
    assert article.title_en not in text


def test_topics_and_weeks_list_only_what_is_in_the_language(client: Client) -> None:
    make_article(published_in=("ru",), title="Адзін")
    make_article(week=WEEK.previous(), published_in=("be",), title="Другі")
    assert "Адзін ru" not in get_page(client, "/be/topics/elite/")
    weeks = get_page(client, "/be/weeks/").partition("<main")[2].partition("<aside")[0]
    assert str(WEEK.previous()) in weeks
    assert str(WEEK) not in weeks


def test_the_digests_order_and_introduction_show_once_it_is_approved(client: Client) -> None:
    first = make_article(topic=make_topic(code="elite", position=1), title="One")
    second = make_article(topic=make_topic(code="west", position=2), title="Two")
    digest = build_digest(WEEK)
    digest.introduction_en = "A quiet week."
    digest.save()
    for entry, position in zip(digest.entries.all(), (2, 1), strict=True):
        entry.position = position
        entry.save()
    path = f"/en/weeks/{WEEK}/"
    assert "A quiet week." not in get_page(client, path)
    digest.mark_approved(make_user(), MONDAY_MORNING)
    text = get_page(client, path)
    assert "A quiet week." in text
    assert text.index(second.title_en) < text.index(first.title_en)


def test_lists_are_paged_by_path(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "PAGE_SIZE", 2)
    week = WEEK
    for _ in range(3):
        make_article(week=week, title=str(week))
        week = week.previous()
    assert 'href="/en/topics/elite/2/"' in get_page(client, "/en/topics/elite/")
    assert str(week.next()) in get_page(client, "/en/topics/elite/2/")
    assert 'href="/en/weeks/2/"' in get_page(client, "/en/weeks/")
    get_page(client, "/en/topics/elite/3/", 404)
    get_page(client, "/en/weeks/0/", 404)


@pytest.mark.parametrize(
    "path",
    [
        "/be/999/",
        "/be/topics/none/",
        "/be/weeks/2026-11-17/",
        "/be/weeks/2020-01-06/",
        "/fr/",
        "/be/x",
    ],
)
def test_what_is_not_there_is_404_in_the_language_of_the_path(client: Client, path: str) -> None:
    language = "be" if path.startswith("/be/") else "en"
    assert f'<html lang="{language}"' in get_page(client, path, 404)


def test_a_draft_is_not_there_and_a_withdrawn_article_is_gone(client: Client) -> None:
    draft, article = make_article(published_in=()), make_article()
    get_page(client, f"/be/{draft.pk}/", 404)
    workflow.withdraw(article, MONDAY_MORNING)
    assert "адкліканы" in get_page(client, f"/be/{article.pk}/", 410)
    workflow.withdraw(draft, MONDAY_MORNING)
    get_page(client, f"/be/{draft.pk}/", 404)


def test_the_first_page_speaks_the_default_language_without_a_redirect(client: Client) -> None:
    make_article()
    assert get_page(client, "/") == get_page(client, "/en/")


def test_an_empty_newsroom_has_a_first_page(client: Client) -> None:
    assert "Яшчэ нічога не апублікавана" in get_page(client, "/be/")


def test_the_500_page_needs_nothing_and_speaks_three_languages() -> None:
    text = render_to_string("500.html")
    for language in ("be", "ru"):
        assert f'lang="{language}"' in text
    assert not re.search(r'(?:src|href)="(?!/)', text)
