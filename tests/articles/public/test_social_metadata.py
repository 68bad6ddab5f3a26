"""What a link shows where it is shared: the text, and not who wrote it down."""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pytest
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings

from articles.editorial import workflow
from articles.models import Article, Author, Correction, SiteSettings
from articles.public import social_metadata
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_edition, make_picture
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db
SITE = "https://news.example.org"
NAME = "Доўгі погляд"


@pytest.fixture(autouse=True)
def the_public_host(settings: Settings) -> None:
    settings.SITE_URL = SITE
    make_edition(code="en")
    make_edition(code="be-ru")
    SiteSettings.objects.create(pk=1, name_be=NAME, name_en=NAME, digest_title_be="Сітуацыя")


def page(client: Client, path: str) -> str:
    answer = client.get(path, headers={"host": "mirror.example.net"})
    return str(answer.content.decode())


def shown(client: Client, path: str) -> list[tuple[str, str]]:
    """The card's properties in their order, as a platform reads them."""
    found = re.findall(
        r'<meta (?:property|name)="((?:og|article|twitter):[^"]*)" content="([^"]*)">',
        page(client, path),
    )
    return [(name, html.unescape(value)) for name, value in found]


def data(client: Client, path: str) -> dict[str, Any]:
    """What a search engine is told."""
    [found] = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', page(client, path), re.DOTALL
    )
    told: dict[str, Any] = json.loads(found)
    return told


def picture_path(client: Client, article: Article, language: str = "be") -> str:
    address = dict(shown(client, article.path_in(language)))["og:image"]
    assert address.startswith(f"{SITE}/{language}/{article.pk}/card-")
    return address.removeprefix(SITE)


def test_a_card_says_what_the_text_is_in_its_language(client: Client) -> None:
    article = make_article(published_in=("be", "ru"))
    found = shown(client, article.path_in("be"))
    for pair in [
        ("og:type", "article"),
        ("og:title", "Бюджэт be"),
        ("og:description", "Што кажа бюджэт."),
        ("og:url", SITE + article.path_in("be")),
        ("og:locale", "be_BY"),
        ("og:locale:alternate", "ru_RU"),
        ("og:image:width", "1200"),
        ("og:image:height", "630"),
        ("article:published_time", "2026-11-23T07:00:00+00:00"),
        ("article:modified_time", "2026-11-23T07:00:00+00:00"),
        ("article:section", "elite be"),
        ("twitter:card", "summary_large_image"),
    ]:
        assert pair in found
    assert ("og:locale:alternate", "en_GB") not in found


def test_a_search_engine_is_told_the_same(client: Client) -> None:
    article = make_article(cover=make_picture())
    article.authors.add(Author.objects.create(code="zubr", name_be="Марта Зубр"))
    Correction.objects.create(
        article=article, language="be", corrected_at=MONDAY_MORNING, note="Лічба выпраўлена."
    )
    told = data(client, article.path_in("be"))
    picture = SITE + picture_path(client, article)
    assert told == {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "isAccessibleForFree": True,
        "headline": "Бюджэт be",
        "description": "Што кажа бюджэт.",
        "inLanguage": "be",
        "articleSection": "elite be",
        "author": [{"@type": "Person", "name": "Марта Зубр"}],
        "publisher": {"@type": "Organization", "name": NAME},
        "correction": [
            {
                "@type": "CorrectionComment",
                "text": "Лічба выпраўлена.",
                "datePublished": "2026-11-23T07:00:00+00:00",
            }
        ],
        "url": SITE + article.path_in("be"),
        "mainEntityOfPage": SITE + article.path_in("be"),
        "datePublished": "2026-11-23T07:00:00+00:00",
        "dateModified": "2026-11-23T07:00:00+00:00",
        "image": [picture, SITE + article.cover.path],
    }


def test_no_title_gets_out_of_its_element(client: Client) -> None:
    title = "</script><script>alert(\"1\")</script> <!--<script> ]]> a & b \u2028 'c' &lt;/script"
    path = make_article(title=title).path_in("be")
    assert data(client, path)["headline"] == f"{title} be"
    assert dict(shown(client, path))["og:title"] == f"{title} be"
    assert page(client, path).count("<script") == 1


def test_no_card_names_the_newsroom(client: Client) -> None:
    article = make_article()
    for path in (
        article.path_in("be"),
        "/be/",
        "/be/topics/elite/",
        f"/be/weeks/{WEEK}/",
        "/be/weeks/",
    ):
        properties = shown(client, path)
        assert dict(properties)["og:title"], path
        assert not [value for _name, value in properties if NAME in value], path
    assert social_metadata.share_image_text(article, "be").name == ""


def test_a_newsroom_that_may_be_named_is(client: Client, settings: Settings) -> None:
    article = make_article()
    nameless = picture_path(client, article)
    settings.SITE_NAME_IN_PREVIEWS = True
    assert ("og:site_name", NAME) in shown(client, article.path_in("be"))
    assert picture_path(client, article) != nameless


def test_a_week_is_shared_under_its_digests_name(client: Client) -> None:
    make_article()
    found = dict(shown(client, f"/be/weeks/{WEEK}/"))
    assert found["og:title"] == f"Сітуацыя: {WEEK.label('be')}"
    assert found["og:url"] == f"{SITE}/be/weeks/{WEEK}/"


def test_the_picture_is_there_for_other_sites_and_asked_for_anew(
    client: Client, visitor: Visitor
) -> None:
    article = make_article(verdict="worsened")
    path = picture_path(client, article)
    answer = visitor.get(path)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "no-cache" in answer.headers["Cache-Control"]
    assert "Set-Cookie" not in answer.headers
    picture = Image.open(io.BytesIO(answer.content))
    assert (picture.size, picture.format) == ((1200, 630), "PNG")
    assert visitor.get(path, {"if-none-match": answer.headers["ETag"]}).status_code == 304


def test_other_words_have_another_address_and_the_old_one_shows_them_too(client: Client) -> None:
    article = make_article()
    old = picture_path(client, article)
    before = client.get(old).content
    Article.objects.filter(pk=article.pk).update(title_be="Іншы загаловак")
    new = picture_path(client, Article.objects.get(pk=article.pk))
    assert new != old
    shown = client.get(old, follow=True)
    assert shown.redirect_chain == [(new, 301)]
    assert shown.content == client.get(new).content != before


def test_a_page_is_made_without_drawing_anything(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article()
    monkeypatch.setattr(
        "articles.public.feed_views.render_share_image", lambda _words: pytest.fail("drawn")
    )
    assert dict(shown(client, article.path_in("be")))["og:image"]


@pytest.mark.parametrize("state", ["never public", "other language", "withdrawn", "language gone"])
def test_no_picture_of_what_is_not_public(client: Client, state: str) -> None:
    public = {"never public": (), "other language": ("ru",)}.get(state, ("be", "ru"))
    article = make_article(published_in=public)
    version = social_metadata.share_image_text(article, "be").version
    if state == "withdrawn":
        workflow.withdraw(article, MONDAY_MORNING)
    if state == "language gone":
        workflow.withdraw_language(article, "be", MONDAY_MORNING)
    assert client.get(f"/be/{article.pk}/card-{version}.png").status_code == 404
    assert "card-" not in page(client, f"/be/{article.pk}/")
    assert "ld+json" not in page(client, f"/be/{article.pk}/")


def test_there_is_no_such_picture(client: Client) -> None:
    for pk in (0, 10**30):
        assert client.get(f"/be/{pk}/card-x.png").status_code == 404
