"""What holds on every public page: links, headings, paging, a bounded number of queries."""

from __future__ import annotations

import itertools
import re

import pytest
from django.test import Client

from articles.models import Article, Correction
from articles.public import selectors
from tests.articles.requests import count_queries, get_page
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_edition, make_page, make_topic
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
LINK = re.compile(r'<a[^>]* href="(/[^"]*)"')
FEED = re.compile(r".*/feed\.xml")
HEADING = re.compile(r"<h([1-6])[ >]")


@pytest.fixture(autouse=True)
def editions() -> None:
    make_edition(code="en")
    make_edition(code="be-ru")


def head_links(text: str, rel: str) -> list[str]:
    found = re.findall(rf'<link rel="{rel}"(?! type| hreflang="x-)[^>]* href="([^"]*)"', text)
    return [address.removeprefix("http://127.0.0.1:8000") for address in found]


def everything_linked_from(client: Client, *starts: str) -> dict[str, str]:
    """Every page of ours that can be reached, by its path."""
    seen: dict[str, str] = {}
    waiting = [*starts]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path] = get_page(client, path)
            waiting += LINK.findall(seen[path])
    return seen


def a_small_newsroom() -> None:
    make_article(verdict="worsened")
    make_article(topic=make_topic(code="west", position=2), published_in=("ru",))
    make_article(week=WEEK.previous(), published_in=("en",))
    make_page(code="about", written_in=("be", "ru"))
    make_page(code="privacy")


def test_every_link_leads_somewhere_and_no_heading_skips_a_level(client: Client) -> None:
    a_small_newsroom()
    found = everything_linked_from(client, "/")
    assert {f"/be/weeks/{WEEK}/", "/ru/topics/west/", "/be/subscribe/"} <= found.keys()
    assert {"/be/barometer/", "/ru/barometer/2026.csv", "/ru/about/"} <= found.keys()
    assert {"/be/feed.xml", "/be/topics/elite/feed.xml"} <= found.keys()
    for path, text in found.items():
        if path.endswith((".csv", ".json")) or FEED.fullmatch(path):
            continue
        main = text.partition("<main")[2].partition("</main>")[0]
        levels = [int(level) for level in HEADING.findall(main)]
        assert levels[0] == 1, path
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_an_article_that_lost_its_topic_or_week_takes_no_page_down(client: Client) -> None:
    make_article(week=WEEK.previous())
    starts = ["/"]
    for lost in ("topic", "week"):
        article = make_article(written_in=("be", "ru"))
        Article.objects.filter(pk=article.pk).update(**{lost: None})
        starts += [article.path_in("be"), f"/en/{article.pk}/"]
    everything_linked_from(client, *starts)


@pytest.mark.parametrize("listing", ["/be/topics/elite/", "/be/weeks/"])
def test_a_later_page_of_a_list_stands_for_itself(
    client: Client, listing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE_SIZE", 2)
    for weeks in range(3):
        make_article(week=WEEK.previous(weeks), published_in=("en", "be"))
    make_article(published_in=("ru",))
    text = get_page(client, f"{listing}2/")
    assert head_links(text, "canonical") == [f"{listing}2/"]
    english = f"{listing}2/".replace("/be/", "/en/")
    assert head_links(text, "alternate") == [english, f"{listing}2/"]
    assert f'rel="prev" href="{listing}"' in text
    # Russian has one page only, and a link to its second would lead nowhere.
    assert f'href="{listing.replace("/be/", "/ru/")}" hreflang="ru" class="unavailable"' in text


def test_the_first_page_of_a_list_has_one_address(client: Client) -> None:
    make_article()
    answer = client.get("/be/topics/elite/1/", follow=True)
    assert answer.redirect_chain == [("/be/topics/elite/", 301)]
    assert head_links(normalize_html(answer.content.decode()), "canonical") == ["/be/topics/elite/"]


def test_a_language_without_the_text_is_marked_in_words(client: Client) -> None:
    article = make_article(written_in=("en", "ru"))
    text = get_page(client, article.path_in("en"))
    assert 'title="missing in Belarusian"><span lang="be">Беларуская</span></a>' in text
    assert text.count('class="unavailable"') == 1


def test_a_correction_is_dated_without_doubled_full_stops(client: Client) -> None:
    """A Belarusian date ends in "г." by itself."""
    article = make_article()
    Correction.objects.create(
        article=article, language="be", corrected_at=MONDAY_MORNING, note="Лічба выпраўлена."
    )
    text = get_page(client, article.path_in("be"))
    assert "Лічба выпраўлена." in text
    assert ".." not in text


def test_a_page_of_a_newsroom_without_a_digest_title_is_named_by_its_week(client: Client) -> None:
    make_article()
    assert f"<title>{WEEK.short_label('be')}</title>" in get_page(client, "/be/")


def test_the_number_of_queries_does_not_grow_with_the_articles(client: Client) -> None:
    first, only_be = make_article(), make_article(published_in=("be",))
    paths = [
        *("/", "/be/", "/be/topics/elite/", "/be/weeks/", f"/be/weeks/{WEEK}/"),
        *("/be/barometer/", "/be/barometer/2026/", "/be/barometer/2026.csv", "/be/none/"),
        *(first.path_in("be"), f"/ru/{only_be.pk}/"),
    ]

    for weeks in (1, 2):
        make_article(week=WEEK.previous(weeks))
    few = {path: count_queries(client, path) for path in paths}
    for number in range(5):
        make_article()
        make_article(topic=make_topic(code=f"t{number}"))
        make_article(week=WEEK.previous(number + 1))
    assert {path: count_queries(client, path) for path in paths} == few
