"""Sitemaps: every page in each language, and only where it can be read."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree import ElementTree

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from articles.editorial import workflow
from articles.models import Author, SiteSettings
from articles.public import sitemaps
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_page, make_topic
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
SITE = "https://news.example.org"
MAPS = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
NEWS = "{http://www.google.com/schemas/sitemap-news/0.9}"
LINK = "{http://www.w3.org/1999/xhtml}link"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def the_public_host(settings: Settings) -> None:
    settings.SITE_URL = SITE


def document(client: Client, path: str) -> ElementTree.Element:
    answer = client.get(path, headers={"host": "mirror.example.net"})
    assert answer.status_code == 200, path
    assert answer.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert not answer.cookies
    return ElementTree.fromstring(answer.content)


def addresses(client: Client, path: str) -> list[str]:
    """What it lists, each on the public host and without that host."""
    found = [one.text or "" for one in document(client, path).iter(f"{MAPS}loc")]
    assert all(one.startswith(f"{SITE}/") for one in found)
    return [one.removeprefix(SITE) for one in found]


def everything(client: Client) -> dict[str, dict[str, str]]:
    """Every page of every sitemap, with the same page in each language."""
    pages: dict[str, dict[str, str]] = {}
    for path in addresses(client, "/sitemap.xml"):
        for entry in document(client, path).iter(f"{MAPS}url"):
            address = entry.findtext(f"{MAPS}loc") or ""
            links = entry.findall(LINK)
            assert {link.attrib["rel"] for link in links} == {"alternate"}
            assert address not in pages
            pages[address] = {link.attrib["hreflang"]: link.attrib["href"] for link in links}
    return pages


def a_small_newsroom() -> None:
    author = Author.objects.create(code="zubr", name_en="Zubr", name_be="Зубр", name_ru="Зубр")
    make_article(title="All").authors.add(author)
    make_article(title="Two", topic=make_topic(code="west"), published_in=("be", "ru"))
    make_article(title="One", week=WEEK.previous(), published_in=("en",))
    make_article(title="None", topic=make_topic(code="east"), published_in=())
    gone = make_article(title="Gone", topic=make_topic(code="gone"))
    workflow.withdraw(gone, MONDAY_MORNING)


def test_every_page_that_is_listed_is_there_with_its_alternates_and_no_other(
    client: Client,
) -> None:
    a_small_newsroom()
    pages = everything(client)
    assert f"{SITE}/be/" in pages
    assert f"{SITE}/be/weeks/{WEEK}/" in pages
    assert f"{SITE}/be/topics/west/" in pages
    assert f"{SITE}/en/topics/west/" not in pages
    assert f"{SITE}/be/authors/zubr/" in pages
    assert f"{SITE}/be/weeks/{WEEK.previous()}/" not in pages
    assert not [address for address in pages if "none" in address or "gone" in address]
    for address, alternates in pages.items():
        language = address.removeprefix(SITE).split("/")[1]
        assert alternates[language] == address
        for other in alternates.values():
            assert pages[other] == alternates
        answer = client.get(address.removeprefix(SITE))
        assert answer.status_code == 200, address
        text = normalize_html(answer.content.decode())
        assert f'<link rel="canonical" href="{address}">' in text
        in_head = re.findall(r'<link rel="alternate" hreflang="(\w+)" href="([^"]*)"', text)
        assert dict(in_head) == alternates, address


def test_an_authors_page_is_listed_where_something_signed_can_be_read(client: Client) -> None:
    zubr, lis, secret, gone = (
        Author.objects.create(code=code, name_en=code, name_be=code, name_ru=code)
        for code in ("zubr", "lis", "secret", "gone")
    )
    make_article(published_in=("be", "ru")).authors.add(zubr)
    make_article(topic=make_topic(code="west"), published_in=("be",)).authors.add(zubr, lis)
    make_article(topic=make_topic(code="east"), published_in=()).authors.add(secret)
    withdrawn = make_article(topic=make_topic(code="gone"))
    withdrawn.authors.add(gone)
    workflow.withdraw(withdrawn, MONDAY_MORNING)
    pages = {path: links for path, links in everything(client).items() if "/authors/" in path}
    assert pages == {
        f"{SITE}/{code}/authors/{author}/": {
            other: f"{SITE}/{other}/authors/{author}/" for other in codes
        }
        for author, codes in (("zubr", ("be", "ru")), ("lis", ("be",)))
        for code in codes
    }


def test_a_page_is_dated_by_its_last_change(client: Client) -> None:
    make_article(written_in=("be",))
    make_article(topic=make_topic(code="west"), written_in=("be",), now=MONDAY_MORNING + HOUR)
    found = document(client, "/be/sitemap.xml")
    dates = {
        entry.findtext(f"{MAPS}loc"): entry.findtext(f"{MAPS}lastmod")
        for entry in found.iter(f"{MAPS}url")
    }
    assert dates[f"{SITE}/be/topics/elite/"] == "2026-11-23T07:00:00+00:00"
    assert dates[f"{SITE}/be/topics/west/"] == dates[f"{SITE}/be/"] == "2026-11-23T08:00:00+00:00"


def test_a_withdrawn_text_leaves_every_sitemap_at_once(client: Client) -> None:
    article = make_article(title="Withdrawn")
    paths = [*addresses(client, "/sitemap.xml"), "/be/news.xml"]

    def naming() -> list[str]:
        return [path for path in paths if b"ithdrawn" in client.get(path).content]

    with time_machine.travel(MONDAY_MORNING + HOUR, tick=False):
        assert naming() == [path for path in paths if path.endswith(("-1.xml", "news.xml"))]
        workflow.withdraw(article, MONDAY_MORNING)
        assert naming() == []


def test_many_articles_are_in_several_files(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(sitemaps, "URLS_PER_SITEMAP", 3)
    made = [make_article(topic=make_topic(code=code)) for code in ("a", "b", "c", "d")]
    assert addresses(client, "/sitemap.xml")[:3] == [
        "/en/sitemap.xml",
        "/en/sitemap-1.xml",
        "/en/sitemap-2.xml",
    ]
    with django_assert_max_num_queries(3):
        first = addresses(client, "/en/sitemap-1.xml")
    assert first == [article.path_in("en") for article in made[:3]]
    assert addresses(client, "/en/sitemap-2.xml") == [made[3].path_in("en")]


def test_a_file_at_its_longest_is_far_below_the_protocols_bounds() -> None:
    longest = len(f"https://{'h' * 253}/be/{10**9}/{'s' * 80}/")
    per_entry = (longest + 80) * 4 + 100
    assert sitemaps.URLS_PER_SITEMAP <= 50_000
    assert sitemaps.URLS_PER_SITEMAP * per_entry < 10 * 1024 * 1024


def test_news_are_those_of_the_last_two_days(client: Client) -> None:
    SiteSettings.objects.create(pk=1, name_be="Доўгі погляд")
    make_article(title="Old", topic=make_topic(code="a"), now=MONDAY_MORNING - 50 * HOUR)
    make_article(title="New & <fresh>\x0b", topic=make_topic(code="b"))
    make_article(title="Foreign", topic=make_topic(code="c"), published_in=("ru",))
    with time_machine.travel(MONDAY_MORNING + HOUR, tick=False):
        [one] = document(client, "/be/news.xml").iter(f"{MAPS}url")
    assert one.findtext(f".//{NEWS}title") == "New & <fresh> be"
    assert one.findtext(f".//{NEWS}name") == "Доўгі погляд"
    assert one.findtext(f".//{NEWS}language") == "be"
    assert one.findtext(f".//{NEWS}publication_date") == "2026-11-23T07:00:00+00:00"


def test_an_empty_newsroom_has_empty_sitemaps(client: Client) -> None:
    for path in ("/sitemap.xml", "/be/sitemap.xml", "/be/news.xml", "/be/sitemap-1.xml"):
        assert addresses(client, path) == []


def test_there_is_no_such_file(client: Client) -> None:
    make_article()
    for name in ("be/sitemap-0", "be/sitemap-2", f"be/sitemap-{10**30}", "xx/sitemap"):
        assert client.get(f"/{name}.xml").status_code == 404, name


def test_the_barometer_and_the_standing_pages_are_listed_where_they_exist(client: Client) -> None:
    make_article(published_in=("en", "be"), verdict="improved")
    make_page(code="about", written_in=("be",))
    pages = everything(client)
    year = f"{SITE}/be/barometer/2026/"
    assert set(pages[year]) == {"en", "be", "ru"}
    assert pages[f"{SITE}/be/about/"] == {"be": f"{SITE}/be/about/"}
    assert f"{SITE}/en/about/" not in pages
