"""Feeds: full texts in one language, what changed first, and nothing that was withdrawn."""

from __future__ import annotations

import datetime as dt
import html
import re
import uuid

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article, Author, SiteSettings
from articles.public import feeds
from tests.articles.atom import Feed, assert_valid_atom
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_picture,
    make_topic,
    make_user,
)
from tests.html_pages import normalize_html
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
LATER = MONDAY_MORNING + DAY
SITE = "https://news.example.org"


@pytest.fixture(autouse=True)
def the_public_host(settings: Settings) -> None:
    settings.SITE_URL = SITE
    SiteSettings.objects.create(pk=1, name_en="Long View", name_be="Доўгі погляд")


def feed(client: Client, path: str = "/be/feed.xml") -> Feed:
    answer = client.get(path, headers={"host": "mirror.example.net"})
    assert answer.status_code == 200, path
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert not answer.cookies
    return Feed(answer.content)


def words(markup: str) -> list[str]:
    return html.unescape(re.sub("<[^>]+>", " ", markup)).split()


def correct(article: Article, note: str = "", now: dt.datetime = LATER, **fields: str) -> None:
    for name, value in fields.items():
        setattr(article, name, value)
    save_article(article, by=make_user(), now=now, notes={"be": note})


def test_a_text_is_there_in_full_with_all_that_its_page_says(client: Client) -> None:
    article = make_article(verdict="worsened", cover=make_picture(credit="Photo: Zubr"))
    article.authors.add(
        Author.objects.create(code="a", name_be="Марта Зубр", name_en="Marta Zubr"),
        Author.objects.create(code="b", name_be="Ганна Ліс"),
    )
    found = feed(client)
    assert (found.language, found.title) == ("be", "Доўгі погляд")
    [entry] = found.entries
    assert entry.title == article.title_be  # type: ignore[attr-defined]
    assert entry.summary == article.lead_be  # type: ignore[attr-defined]
    assert entry.published == entry.updated == found.updated == MONDAY_MORNING
    assert entry.authors == ["Марта Зубр", "Ганна Ліс"]
    assert entry.labels == {"elite": "elite be", "worsened": "Пагоршылася"}
    for part in (article.body_be, article.lead_be, "Пагоршылася", "Photo: Zubr"):  # type: ignore[attr-defined]
        assert part in entry.content, part
    assert f'<img src="{SITE}{article.cover.path}"' in entry.content


def test_every_address_is_on_the_public_host_whatever_mirror_is_asked(client: Client) -> None:
    body = '<p><a href="/be/7/">a</a> <a href="#b">b</a> <a href="https://c.example/d">c</a></p>'
    article = make_article(written_in=("be",))
    correct(article, body_be=body)
    found = feed(client)
    [entry] = found.entries
    here = SITE + article.path_in("be")
    assert entry.url == here
    assert found.links == {
        "alternate": f"{SITE}/be/",
        "self": f"{SITE}/be/feed.xml",
        "first": f"{SITE}/be/feed.xml",
        "last": f"{SITE}/be/feed.xml",
    }
    addresses = re.findall(r'(?:href|src)="([^"]*)"', entry.content)
    assert addresses == [f"{SITE}/be/7/", f"{here}#b", "https://c.example/d"]
    assert "mirror" not in client.get("/be/feed.xml").content.decode()


def test_only_what_is_public_in_that_language_is_in_its_feed(client: Client) -> None:
    make_article(title="Everywhere")
    make_article(title="Russian", topic=make_topic(code="west"), published_in=("ru",))
    make_article(title="Unfinished", topic=make_topic(code="east"), published_in=())
    assert feed(client, "/be/feed.xml").titles == ["Everywhere be"]
    assert feed(client, "/ru/feed.xml").titles == ["Russian ru", "Everywhere ru"]
    for code in ("en", "be", "ru"):
        assert b"Unfinished" not in client.get(f"/{code}/feed.xml").content


def test_a_topic_has_a_feed_of_its_own(client: Client) -> None:
    make_article(title="Elite")
    make_article(title="West", topic=make_topic(code="west"))
    found = feed(client, "/be/topics/west/feed.xml")
    assert found.titles == ["West be"]
    assert found.title == "Доўгі погляд: west be"
    assert found.links["alternate"] == f"{SITE}/be/topics/west/"
    assert found.id != feed(client).id


def test_ids_stay_when_host_title_topic_and_masthead_change(
    client: Client, settings: Settings
) -> None:
    article = make_article()
    before = feed(client)
    settings.SITE_URL = "https://elsewhere.example"
    masthead = SiteSettings.current()
    masthead.name_be = "Іншая назва"  # type: ignore[attr-defined]
    masthead.save()
    correct(article, title_be="Іншы загаловак", topic=make_topic(code="west"))  # type: ignore[arg-type]
    after = feed(client)
    assert after.entries[0].url.startswith("https://elsewhere.example/")
    assert (after.id, after.entries[0].id) == (before.id, before.entries[0].id)


def test_ids_differ_between_languages_articles_and_newsrooms(client: Client) -> None:
    article = make_article()
    make_article(topic=make_topic(code="west"))
    found = {
        entry.id for code in ("en", "be") for entry in feed(client, f"/{code}/feed.xml").entries
    }
    assert len(found) == 4
    assert all(uuid.UUID(one) for one in found)
    other = SiteSettings(pk=1, identity=uuid.uuid4())
    other._state.adding = False
    assert feeds.atom_id(other, "article", article.pk, "be") not in found


def test_an_id_stays_while_nobody_has_named_the_newsroom() -> None:
    SiteSettings.objects.all().delete()
    first, second = (feeds.atom_id(SiteSettings.current(), "article", 7, "be") for _ in range(2))
    assert first == second


def test_a_corrected_text_comes_first_again_and_shows_the_note(client: Client) -> None:
    old = make_article(title="Old", week=WEEK.previous())
    make_article(title="New", now=MONDAY_MORNING + HOUR)
    assert feed(client).titles == ["New be", "Old be"]
    before = feed(client).entries[1]
    correct(old, "Лічба выпраўлена.", body_be="<p>Іншае.</p>")
    found = feed(client)
    assert found.titles == ["Old be", "New be"]
    first = found.entries[0]
    assert (first.id, first.published) == (before.id, before.published)
    assert first.updated == found.updated == LATER
    assert "Лічба выпраўлена." in first.content
    # The other languages say what they said.
    assert [one.updated for one in feed(client, "/en/feed.xml").entries] == [
        MONDAY_MORNING + HOUR,
        MONDAY_MORNING,
    ]


def test_a_corrected_verdict_moves_every_language(client: Client) -> None:
    article = make_article(verdict="improved", published_in=("en", "be"))
    correct(article, verdict="worsened")
    for code in ("en", "be"):
        [entry] = feed(client, f"/{code}/feed.xml").entries
        assert entry.updated == LATER
        assert "worsened" in entry.labels
        assert "improved" not in entry.labels


def test_what_nobody_reads_yet_moves_nothing(client: Client) -> None:
    article = make_article(published_in=("en",))
    correct(article, body_be="<p>Яшчэ не гатова.</p>")
    assert feed(client, "/en/feed.xml").updated == MONDAY_MORNING


@pytest.mark.parametrize("whole", [True, False])
def test_a_withdrawn_text_is_gone_at_once_and_is_said_to_be_gone(
    client: Client, whole: bool
) -> None:
    article = make_article(title="Withdrawn")
    make_article(topic=make_topic(code="west"))
    paths = ["/be/feed.xml", "/be/topics/elite/feed.xml"]
    [entry] = [one for one in feed(client).entries if one.title == "Withdrawn be"]
    if whole:
        workflow.withdraw(article, LATER)
    else:
        workflow.withdraw_language(article, "be", LATER)
    for path in paths:
        assert b"Withdrawn" not in client.get(path).content
        assert feed(client, path).deleted == {entry.id: LATER}
    assert len(feed(client, "/en/feed.xml").entries) == (1 if whole else 2)


def test_what_comes_back_is_there_under_its_old_id(client: Client) -> None:
    article = make_article()
    [before] = feed(client).entries
    workflow.withdraw_language(article, "be", MONDAY_MORNING + HOUR)
    workflow.publish(article, "be", LATER)
    found = feed(client)
    [after] = found.entries
    assert (after.id, after.published, after.updated) == (before.id, MONDAY_MORNING, LATER)
    assert found.deleted == {}


def test_who_comes_again_is_told_only_that_nothing_changed(visitor: Visitor) -> None:
    article = make_article()
    first = visitor.get("/be/feed.xml")
    etag, date = first.headers["ETag"], first.headers["Last-Modified"]
    for headers in ({"if-none-match": etag}, {"if-modified-since": date}):
        again = visitor.get("/be/feed.xml", headers)
        assert (again.status_code, again.content) == (304, b"")
    workflow.withdraw(article, LATER)
    visitor.number = 2
    for headers in ({"if-none-match": etag}, {"if-modified-since": date}):
        assert visitor.get("/be/feed.xml", headers).status_code == 200
    assert visitor.get("/be/feed.xml").headers["Last-Modified"] == "Tue, 24 Nov 2026 07:00:00 GMT"


def test_who_asks_by_date_hears_of_a_text_that_moved_to_another_topic(visitor: Visitor) -> None:
    article = make_article()
    path = "/be/topics/elite/feed.xml"
    date = visitor.get(path).headers["Last-Modified"]
    correct(article, topic=make_topic(code="west"))  # type: ignore[arg-type]
    visitor.number = 2
    again = visitor.get(path, {"if-modified-since": date})
    assert again.status_code == 200
    assert Feed(again.content).entries == []


def test_a_byline_that_changes_is_no_news_but_is_not_kept_back(visitor: Visitor) -> None:
    article = make_article()
    etag = visitor.get("/be/feed.xml").headers["ETag"]
    article.authors.add(Author.objects.create(code="a", name_be="Марта Зубр"))
    visitor.number = 2
    answer = visitor.get("/be/feed.xml", {"if-none-match": etag})
    assert answer.status_code == 200
    assert Feed(answer.content).entries[0].updated == MONDAY_MORNING


def test_an_empty_feed_is_a_feed_and_stays_the_same(client: Client) -> None:
    make_topic(code="west")
    for path in ("/be/feed.xml", "/be/topics/west/feed.xml"):
        first, second = client.get(path), client.get(path)
        assert first.content == second.content
        assert Feed(first.content).entries == []


def test_a_feed_reader_parses_every_kind_of_feed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held against the RFC's grammar too, as all feeds of these tests are."""
    monkeypatch.setattr(feeds, "PAGE_SIZE", 3)
    gone, week = make_article(title="Gone"), WEEK
    for number in range(feeds.PAGE_SIZE + 1):
        week = week.previous()
        cover = make_picture(credit="Photo: A & B")
        kept = make_article(week=week, title=f"N{number} & <b>", verdict="improved", cover=cover)
    kept.authors.add(Author.objects.create(code="a", name_be="Марта Зубр"))
    correct(kept, "Лічба & <b>.", body_be="<p>Іншае &amp; <em>новае</em>.</p>")
    workflow.withdraw(gone, LATER)
    for path in ("feed", "feed-2", "topics/elite/feed", "topics/elite/feed-2"):
        found = feed(client, f"/be/{path}.xml")
        read = found.read
        assert (read.feed.id, read.feed.title, read.feed.language) == (found.id, found.title, "be")
        assert {one.rel: one.href for one in read.feed.links} == found.links
        assert len(read.entries) == len(found.entries) > 0
        for shown, entry in zip(read.entries, found.entries, strict=True):
            assert (shown.id, shown.link) == (entry.id, entry.url)
            assert shown.title == entry.title
            assert [one.name for one in shown.get("authors", [])] == entry.authors
            assert {one.term: one.label for one in shown.tags} == entry.labels
            assert dt.datetime(*shown.updated_parsed[:6], tzinfo=dt.UTC) == entry.updated
            assert dt.datetime(*shown.published_parsed[:6], tzinfo=dt.UTC) == entry.published
            [content] = shown.content
            assert (content.type, content.language) == ("text/html", "be")
            # It mends markup in its own way.
            assert words(content.value) == words(entry.content)


BROKEN = [
    (b"</id>", b"</id><id>twice</id>"),
    (b"</title>", b"</title><surprise/>"),
    (b"<title>", b'<title surprise="">'),
    (b'xml:lang="be"', b'xml:lang="be_BY"'),
    (b"T07:00:00+00:00</updated>", b"</updated>"),
    (b' rel="alternate" type="text/html"', b' rel="alternate" type="html"'),
    (b"<author>", b"<author><age>7</age>"),
]


def test_a_feed_that_breaks_the_grammar_is_seen_to(client: Client) -> None:
    make_article()
    good = client.get("/be/feed.xml").content
    assert assert_valid_atom(good)
    for right, wrong in BROKEN:
        assert right in good
        with pytest.raises(AssertionError):
            assert_valid_atom(good.replace(right, wrong, 1))


def test_older_texts_are_on_further_pages(
    client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "PAGE_SIZE", 3)
    week = WEEK
    for number in range(feeds.PAGE_SIZE + 1):
        make_article(week=week, written_in=("be",), title=f"N{number}", verdict="improved")
        week = week.previous()
    with django_assert_max_num_queries(12):
        first = feed(client)
    second = feed(client, "/be/feed-2.xml")
    assert len(first.entries) == feeds.PAGE_SIZE
    assert second.titles == ["N0 be"]
    assert first.id == second.id
    assert first.links["next"] == first.links["last"] == second.links["self"]
    assert second.links["previous"] == first.links["self"] == f"{SITE}/be/feed.xml"
    assert client.get("/be/feed-3.xml").status_code == 404


def test_a_feed_costs_as_many_queries_with_many_texts_as_with_one(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for code in ("a", "b", "c", "d", "e"):
        article = make_article(topic=make_topic(code=code), cover=make_picture())
        article.authors.add(Author.objects.create(code=code))
    with django_assert_max_num_queries(12):
        assert len(feed(client).entries) == 5


def test_there_is_no_such_feed(client: Client) -> None:
    make_article()
    for path in (
        *("be/topics/nowhere/feed", "xx/feed", "be/feed-0", "be/feed-2", "be/feed-x", "be/feed--1"),
        *(f"be/feed-{10**30}", "be/topics/elite/feed-2"),
    ):
        assert client.get(f"/{path}.xml").status_code == 404, path
    assert client.get("/be/feed.xml/").status_code == 404


def test_a_feed_is_only_looked_at(client: Client) -> None:
    assert client.post("/be/feed.xml").status_code == 405
    assert client.head("/be/feed.xml").content == b""


def test_what_xml_cannot_hold_is_left_out_and_markup_in_a_title_is_text(client: Client) -> None:
    make_article(written_in=("be",), title="A\x0b </title><b>]]> & \ufffe")
    [title] = feed(client).titles
    assert title == "A </title><b>]]> &  be"


def test_pages_name_their_feeds(client: Client) -> None:
    article = make_article()

    def named(path: str) -> list[str]:
        page = normalize_html(client.get(path).content.decode())
        return re.findall(
            r'<link rel="alternate" type="application/atom\+xml"[^>]* href="(.*?)"', page
        )

    assert named("/be/") == named(article.path_in("be")) == ["/be/feed.xml"]
    assert named("/be/topics/elite/") == ["/be/topics/elite/feed.xml", "/be/feed.xml"]
