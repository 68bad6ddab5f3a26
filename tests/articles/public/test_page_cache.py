"""Public pages that are stored in front of Django: when, under which address, and for how long."""

from __future__ import annotations

import datetime as dt
import gzip
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import time_machine
from django.db import connection
from django.test import Client, RequestFactory

from articles import site_version
from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article, SiteSettings
from articles.public import selectors
from tests.articles.newsrooms import LAST_WEEK, make_newsroom
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_user
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db
LATER = MONDAY_MORNING + timedelta(minutes=5)
TABLE = re.compile(r'(?:FROM|JOIN) "(\w+)"')
OF_NO_PAGE = ("/be/search/", "/be/subscribe/", "/be/news.xml", "/healthz", "/robots.txt", "/none/")


def canonical(client: Client, path: str) -> str:
    """Where a link of ours leads in the end."""
    answer = client.get(path)
    return answer.headers["Location"] if answer.status_code == 301 else path


def save(article: Article, **values: Any) -> None:
    found = Article.objects.get(pk=article.pk)
    for name, value in values.items():
        setattr(found, name, value)
    save_article(found, by=make_user(), now=LATER)


@pytest.fixture
def queries() -> Iterator[list[str]]:
    """Every statement that Django sends meanwhile."""
    said: list[str] = []

    def note(execute: Any, sql: str, *about: Any) -> Any:
        said.append(sql)
        return execute(sql, *about)

    with connection.execute_wrapper(note):
        yield said


def test_a_stored_page_is_answered_as_it_left_and_asks_the_database_nothing(
    visitor: Visitor, queries: list[str]
) -> None:
    path = make_article().path_in("be")
    first = visitor.get(path)
    assert first.status_code == 200
    queries.clear()
    assert visitor.get(path) == first
    assert not queries


def test_every_kind_of_page_is_stored_and_is_what_django_says(
    client: Client, visitor: Visitor
) -> None:
    newsroom = make_newsroom()
    paths = {canonical(client, path) for path in newsroom.paths()}
    good = 0
    for path in paths:
        answer = client.get(path)
        good += answer.status_code == 200
        visitor.get(path)
        assert visitor.get(path).content == answer.content, path
    assert visitor.stored == good > 20


def test_the_next_version_makes_every_page_anew(visitor: Visitor) -> None:
    article = make_article()
    path = article.path_in("be")
    visitor.get(path)
    save(article, body_be="<p>Іншае.</p>")
    assert "Іншае" not in visitor.get(path).content.decode()
    visitor.number = 2
    assert "Іншае" in visitor.get(path).content.decode()
    workflow.withdraw(article, LATER)
    visitor.number = 3
    assert visitor.get(path).status_code == 410


def test_a_page_that_was_begun_before_a_change_is_not_stored_under_the_later_version(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article()
    path = article.path_in("be")
    card_of = selectors.get_corrections

    def correct_meanwhile(*about: Any) -> Any:
        visitor.number = 2
        save(article, body_be="<p>Іншае.</p>")
        return card_of(*about)

    monkeypatch.setattr(selectors, "get_corrections", correct_meanwhile)
    assert "Бюджэт расце" in visitor.get(path).content.decode()
    monkeypatch.undo()
    assert "Іншае" in visitor.get(path).content.decode()


def test_while_the_database_does_not_say_the_version_every_page_is_made_anew(
    visitor: Visitor,
) -> None:
    path = make_article().path_in("be")
    visitor.get(path)
    visitor.number = None
    SiteSettings.objects.create(pk=1, name_be="Погляд")
    assert "Погляд" in visitor.get(path).content.decode()


# --- What a stranger can do ----------------------------------------------------------------


def test_addresses_that_a_stranger_makes_up_are_never_stored(visitor: Visitor) -> None:
    newsroom = make_newsroom()
    pk, topic, week = newsroom.new.pk, newsroom.elite.code, WEEK
    true = {
        newsroom.new.path_in("be"),
        f"/be/topics/{topic}/",
        f"/be/weeks/{week}/",
        "/be/weeks/",
        f"/be/barometer/{week.year}/",
        "/be/feed.xml",
    }
    for path in true:
        assert visitor.get(path).status_code == 200
    assert visitor.stored == len(true)
    for number in range(30):
        for path in (
            f"/be/{pk}/made-up-{number}/",
            f"/be/{'0' * number}{pk}/",
            f"/be/{pk}/card-{number}.png",
            f"/be/topics/{topic}/{'0' * number}1/",
            f"/be/topics/{topic}/?made-up={number}",
            f"/be/weeks/{'0' * number}1/",
            f"/be/barometer/{week.year}/{'0' * number}1/",
            f"/be/feed-{'0' * number}1.xml",
            f"/be/nothing-{number}/",
        ):
            visitor.get(path)
        visitor.get(f"/be/topics/{topic}/", {"host": f"made-up-{number}.example"})
        visitor.get(f"/be/topics/{topic}/", {"accept-encoding": f"made-up-{number}"})
        visitor.get(f"/be/topics/{topic}/", {"x-forwarded-proto": f"made-up-{number}"})
    assert visitor.stored == len(true)


def test_any_other_slug_leads_to_the_articles_one_address(client: Client) -> None:
    article = make_article()
    for made_up in ("old-slug/", "made up/", "слова/", "slug)./", "slug%20/", "a&amp;b/", ""):
        for pk in (article.pk, f"00{article.pk}"):
            answer = client.get(f"/be/{pk}/{made_up}", {"fbclid": "1"})
            if answer.headers["Location"] != article.path_in("be"):
                answer = client.get(answer.headers["Location"])
            assert answer.status_code == 301
            assert answer.headers["Location"] == article.path_in("be")
            # The title may be corrected back.
            assert answer.headers["Cache-Control"] == "no-cache"


def test_no_address_tells_a_title_that_is_not_public(client: Client) -> None:
    article = make_article(published_in=("en",))
    answer = client.get(f"/be/{article.pk}/made-up/")
    assert answer.headers["Location"] == f"/be/{article.pk}/"
    assert client.get(f"/be/{article.pk}/").status_code == 200


def test_what_is_withdrawn_leads_nowhere_and_is_not_stored(visitor: Visitor) -> None:
    article = make_article()
    workflow.withdraw(article, LATER)
    for path in (f"/be/{article.pk}/", f"/be/{article.pk}/made-up/"):
        assert visitor.get(path).status_code == 410
    assert visitor.stored == 0


def test_a_stored_page_is_the_same_under_every_host_and_whatever_a_network_adds(
    visitor: Visitor, queries: list[str]
) -> None:
    path = make_article().path_in("be")
    first = visitor.get(f"{path}?fbclid=one", {"host": "mirror.example"})
    queries.clear()
    for headers in ({}, {"host": "abcdefgh.onion"}, {"host": "news.example.org:8443"}):
        assert visitor.get(f"{path}?utm_source=two", headers).content == first.content
    assert not queries
    assert b"fbclid" not in first.content
    assert b"mirror.example" not in first.content


def test_a_host_that_is_none_gets_no_stored_page(visitor: Visitor) -> None:
    path = make_article().path_in("be")
    assert visitor.get(path).status_code == 200
    assert visitor.get(path, {"host": "bad host"}).status_code == 400


def test_over_tls_a_page_is_another_one(visitor: Visitor, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    path = make_article().path_in("be")
    visitor.get(path)
    policy = visitor.get(path, {"x-forwarded-proto": "https"}).headers["Content-Security-Policy"]
    assert "upgrade-insecure-requests" in policy
    plain = visitor.get(path).headers["Content-Security-Policy"]
    assert "upgrade-insecure-requests" not in plain


@pytest.mark.parametrize("headers", [{"cookie": "a=b"}, {"authorization": "Basic eDp5"}])
def test_who_is_somebody_is_answered_by_django(
    visitor: Visitor, queries: list[str], headers: dict[str, str]
) -> None:
    path = make_article().path_in("be")
    visitor.get(path, headers)
    assert visitor.stored == 0
    visitor.get(path)
    queries.clear()
    visitor.get(path, headers)
    assert queries


def test_what_asks_for_something_or_ages_by_itself_is_not_stored(visitor: Visitor) -> None:
    make_article()
    for path in OF_NO_PAGE:
        visitor.get(path)
        assert visitor.stored == 0, path


def test_no_draft_and_no_preview_is_stored(visitor: Visitor) -> None:
    article = make_article(published_in=())
    for path in (f"/be/{article.pk}/", article.path_in("be"), "/be/preview/made-up/"):
        assert visitor.get(path).status_code == 404
    assert visitor.stored == 0


def test_no_stored_page_depends_on_the_clock(client: Client) -> None:
    newsroom = make_newsroom()
    paths = {canonical(client, path) for path in newsroom.paths()}
    now = dt.datetime.now(dt.UTC)
    with time_machine.travel(now, tick=False):
        before = {path: client.get(path).content for path in paths}
    with time_machine.travel(now + dt.timedelta(days=400), tick=False):
        assert {path: client.get(path).content for path in paths} == before


def test_every_table_that_a_stored_page_asks_grows_the_sites_version(
    client: Client, queries: list[str]
) -> None:
    """Fails for a model that a page shows and that is not decorated with @shown_on_pages."""
    newsroom = make_newsroom()
    made = {canonical(client, path) for path in newsroom.paths()}
    made |= {canonical(client, f"/be/{newsroom.new.pk}/card-x.png"), "/be/privacy/"}
    queries.clear()
    for path in made:
        client.get(path)
    asked = {table for sql in queries for table in TABLE.findall(sql)}
    assert asked - set(site_version.tracked_tables()) == set()
    assert "articles_article" in asked
    assert "newsletter_edition" in asked


def test_a_change_makes_a_page_anew_once_however_many_ask(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for whoever came first, and get the same page."""
    path = make_article().path_in("be")
    page = visitor.get(path).content
    visitor.number = 2
    others, waits = ThreadPoolExecutor(4), threading.Event()
    wait = threading.Event.wait

    def say_that_one_waits(event: threading.Event, *about: Any) -> bool:
        waits.set()
        return wait(event, *about)

    def ask() -> bytes:
        # Outside of the test's transaction nobody could make it.
        return b"".join(visitor.cache(RequestFactory().get(path).environ, lambda *told: None))

    def meanwhile(*about: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", say_that_one_waits)
            answers.extend(others.submit(ask) for _ in range(4))
            assert wait(waits, 20)
        return []

    answers: list[Future[bytes]] = []
    monkeypatch.setattr(selectors, "get_corrections", meanwhile)
    assert visitor.get(path).content == page
    assert [answer.result(20) for answer in answers] == [page] * 4


# --- HTTP ----------------------------------------------------------------------------------


def test_whoever_has_a_page_is_told_that_nothing_has_changed(visitor: Visitor) -> None:
    article = make_article()
    path = article.path_in("be")
    etag = visitor.get(path).headers["ETag"]
    answer = visitor.get(path, {"if-none-match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == etag
    save(article, body_be="<p>Іншае.</p>")
    visitor.number = 2
    answer = visitor.get(path, {"if-none-match": etag, "accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert "Іншае" in gzip.decompress(answer.content).decode()
    assert answer.headers["ETag"] != etag


def test_a_page_leaves_compressed_for_whoever_takes_that(visitor: Visitor) -> None:
    path = make_article().path_in("be")
    plain = visitor.get(path)
    assert plain.headers["Vary"] == "Accept-Encoding"
    for taken in ("gzip", "br, GZIP;q=0.5", "gzip, deflate"):
        answer = visitor.get(path, {"accept-encoding": taken})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.content) == plain.content
        assert answer.headers["Content-Length"] == str(len(answer.content))
    for refused in ("gzip;q=0", "gzip; q=0.0, br", "br", ""):
        answer = visitor.get(path, {"accept-encoding": refused})
        assert "Content-Encoding" not in answer.headers
        assert answer.content == plain.content


def test_head_is_answered_as_get_is(visitor: Visitor) -> None:
    path = make_article().path_in("be")
    first = visitor.get(path, method="HEAD")
    page = visitor.get(path)
    for head in (first, visitor.get(path, method="HEAD")):
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == page.headers


def test_no_page_is_used_elsewhere_without_asking(client: Client) -> None:
    """Neither by a browser nor by a proxy."""
    answer = client.get(make_article().path_in("be"))
    assert "no-cache" in answer.headers["Cache-Control"]


# --- What pages share -----------------------------------------------------------------------


def test_parts_that_pages_share_are_made_once_for_each_version(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest week, which stands beside each article."""
    articles = make_article(), make_article(title="Other", week=LAST_WEEK)
    week_page = Mock(side_effect=selectors.week_page)
    monkeypatch.setattr(selectors, "week_page", week_page)
    for number in (5, 6):
        visitor.number = number
        for article in articles:
            assert "Бюджэт be" in visitor.get(article.path_in("be")).content.decode()
        assert week_page.call_count == number - 4


def test_what_was_searched_for_stands_among_parts_that_are_shared_and_is_not_stored(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_article()
    visitor.get("/be/weeks/")
    stored = visitor.stored
    week_page = Mock(side_effect=selectors.week_page)
    monkeypatch.setattr(selectors, "week_page", week_page)
    path = visitor.get("/be/search/?q=бюджэт").headers["Location"]
    assert "Бюджэт be" in visitor.get(path).content.decode()
    assert not week_page.called
    assert visitor.stored == stored
