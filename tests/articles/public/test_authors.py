"""What somebody signed, on a page of theirs."""

from __future__ import annotations

import pytest
from django.test import Client

from articles.models import Article, Author
from articles.public import selectors
from tests.articles.requests import get_page
from tests.factories import WEEK, make_article

pytestmark = pytest.mark.django_db


@pytest.fixture
def zubr() -> Author:
    return Author.objects.create(
        code="zubr", name_en="Marta Zubr", name_be="Марта Зубр", name_ru="Марта Зубр"
    )


def signed(author: Author, *, published_in: tuple[str, ...] = ("en", "be", "ru")) -> Article:
    article = make_article(published_in=published_in, title=f"T{Article.objects.count()}")
    article.authors.add(author)
    return article


def test_a_byline_leads_to_what_else_its_author_signed(client: Client, zubr: Author) -> None:
    first, second = signed(zubr), signed(zubr)
    other = make_article(title="Another")
    assert 'rel="author" href="/be/authors/zubr/">Марта Зубр</a>' in get_page(
        client, first.path_in("be")
    )
    listed = get_page(client, "/be/authors/zubr/").partition("<main")[2].partition("</main>")[0]
    assert "<h1>Марта Зубр</h1>" in listed
    assert first.title_be in listed
    assert second.title_be in listed
    assert other.title_be not in listed


def test_a_pseudonym_under_which_nothing_is_public_is_no_page(client: Client, zubr: Author) -> None:
    """Else whoever guesses a name would learn that somebody is about to write under it."""
    signed(zubr, published_in=())
    get_page(client, "/be/authors/zubr/", 404)
    get_page(client, "/be/authors/nobody/", 404)


def test_an_author_who_wrote_in_another_language_only_is_found_there(
    client: Client, zubr: Author
) -> None:
    signed(zubr, published_in=("ru",))
    text = get_page(client, "/be/authors/zubr/")
    assert 'href="/ru/authors/zubr/"' in text.partition("<main")[2]
    assert "T0 ru" not in text.partition("<main")[2].partition("</main>")[0]
    assert "noindex" in text
    assert "canonical" not in text


def test_many_articles_have_pages_by_path(
    client: Client, zubr: Author, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE_SIZE", 2)
    for number in range(3):
        make_article(week=WEEK.previous(number)).authors.add(zubr)
    assert 'rel="next" href="/en/authors/zubr/2/"' in get_page(client, "/en/authors/zubr/")
    assert 'rel="prev" href="/en/authors/zubr/"' in get_page(client, "/en/authors/zubr/2/")
    get_page(client, "/en/authors/zubr/3/", 404)
