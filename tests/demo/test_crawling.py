"""Follows every link of the demo newsroom, in every language, from the first page on.

The demo is loaded and read once. Lists have few entries a page here, so that they have pages.
"""

from __future__ import annotations

import datetime as dt
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import transaction
from django.test import Client, override_settings

from articles.editorial import workflow
from articles.models import Article, Author
from articles.models.languages import ArticleLanguage
from articles.public import selectors as pages
from articles.search import query
from core import languages
from demo.content.loading import load_demo
from tests.articles.requests import submit_search as asked
from tests.covers import same_cover_for_all
from tests.factories import make_edition, make_user
from tests.html_pages import Element, parse_html

pytestmark = [pytest.mark.django_db, pytest.mark.long]

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
FEW = 3
SMALL = 30 * 1024
"""Bytes of a first visit, pictures apart. The barometer’s page has a year of verdicts."""
CYRILLIC = re.compile("[А-Яа-яЁёІіЎў]+")
LATIN = re.compile(r"[A-Za-z]{2,}")
FOREIGN = {
    "en": [CYRILLIC],
    "be": [LATIN, re.compile(r"\w*[ИиЩщЪъ]\w*")],
    "ru": [LATIN, re.compile(r"\w*[ІіЎў]\w*")],
}
"""What no word of a language has: letters of another alphabet, or of another language's."""
ALLOWED = frozenset(["CSV", "JSON", "EN", "BE", "RU", "Tor", "IP", "cookie"])
"""Named alike in every language: formats, networks, and the names of the test’s own editions."""
NOT_PROSE = re.compile(r"\S+@\S+")
SOUGHT = {"en": "the", "be": "у", "ru": "в"}
"""A word that is on every page, so that what was found has pages."""
STYLES = ("/static/site.css", "/static/barometer.css")


@dataclass(frozen=True)
class Read:
    """One answer."""

    path: str
    status: int
    headers: dict[str, str]
    cookies: list[str]
    text: str
    tree: Element

    @property
    def language(self) -> str:
        """What its address promises."""
        first = self.path.lstrip("/").partition("/")[0]
        return first if languages.is_language(first) else languages.default()

    @property
    def is_page(self) -> bool:
        return self.headers["Content-Type"].startswith("text/html")

    def links(self, rel: str) -> list[Element]:
        return [one for one in self.tree.all("link") if one.attributes.get("rel") == rel]

    def files(self) -> list[str]:
        """What a browser loads with it, beside pictures."""
        return [one.attributes["href"] for one in self.tree.all("link") if not is_about(one)]

    def alternates(self) -> dict[str, str]:
        """The path of each language that the head names."""
        return {
            one.attributes["hreflang"]: own_path(one.attributes["href"])
            for one in self.links("alternate")
            if "hreflang" in one.attributes
        }

    def canonical(self) -> str | None:
        found = [own_path(one.attributes["href"]) for one in self.links("canonical")]
        assert len(found) <= 1, self.path
        return found[0] if found else None

    @property
    def may_be_found(self) -> bool:
        """Whether search engines may list it."""
        [robots] = self.tree.all("meta", name="robots")
        return "noindex" not in robots.attributes["content"]


def own_path(address: str) -> str:
    """Of an address with our public host."""
    assert address.startswith(f"{settings.SITE_URL}/"), address
    return unquote(address.removeprefix(settings.SITE_URL))


def linked_from(read: Read) -> Iterator[str]:
    """Every internal URL that a visitor or a browser would request."""
    for element in read.tree.walk():
        for name in ("href", "src"):
            # Alternates and canonical have the host, and are compared below.
            if name in element.attributes and not (element.tag == "link" and is_about(element)):
                yield element.attributes[name]
        for part in element.attributes.get("srcset", "").split(","):
            if part.strip():
                yield part.split()[0]


def is_about(link: Element) -> bool:
    """Whether it says where the page is, rather than loading something."""
    return link.attributes.get("rel") in {"canonical", "alternate"}


def source(file: str) -> bytes:
    """What stands in a file of ours that a page loads."""
    path = finders.find(file.removeprefix(settings.STATIC_URL))
    assert path, file
    return Path(path).read_bytes()


def is_data(script: Element) -> bool:
    """Whether it is read by search engines, and run by nobody."""
    return script.attributes.get("type") == "application/ld+json"


def ask(client: Client, path: str) -> Read:
    answer = client.get(path)
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    is_text = answer.headers["Content-Type"].startswith("text/html")
    text = body.decode() if is_text else ""
    cookies = list(answer.cookies)
    return Read(path, answer.status_code, dict(answer.headers), cookies, text, parse_html(text))


def crawl(client: Client, start: str) -> dict[str, Read]:
    """Everything that can be reached, by its path; files of styles are looked at by themselves."""
    found: dict[str, Read] = {}
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found or path.startswith(settings.STATIC_URL):
            continue
        found[path] = ask(client, path)
        for link in linked_from(found[path]):
            target = urlsplit(urljoin(path, link))
            if not target.netloc:
                waiting.append(target.path)
    return found


def an_uneven_newsroom() -> dict[str, int]:
    """The demo, with articles that are missing, withdrawn or signed in some languages only."""
    with same_cover_for_all():
        load_demo(make_user(), NOW)
    make_edition(code="en")
    make_edition(code="be-ru")
    newest = list(Article.objects.newest_first())
    only_ru, no_be, gone, be_gone = newest[0], newest[1], newest[2], newest[3]
    for article, codes in ((only_ru, ("en", "be")), (no_be, ("be",))):
        ArticleLanguage.objects.filter(article=article, language__in=codes).delete()
    workflow.withdraw(gone, NOW, notes={"be": "Крыніца памылілася."})
    workflow.withdraw_language(be_gone, "be", NOW)
    stranger = Author.objects.create(
        code="stranger", name_en="A Stranger", name_be="Вандроўнік", name_ru="Странник"
    )
    only_ru.authors.add(stranger)
    return {"only_ru": only_ru.pk, "no_be": no_be.pk, "gone": gone.pk, "be_gone": be_gone.pk}


@dataclass(frozen=True)
class Site:
    """All that was found, and the ids of those articles that are uneven."""

    found: dict[str, Read]
    ids: dict[str, int]
    beside: dict[str, Read]
    """What no link leads to."""

    @property
    def pages(self) -> list[Read]:
        return [one for one in self.found.values() if one.is_page]


@pytest.fixture(scope="module")
def site(
    django_db_setup: None,
    django_db_blocker: Any,
    keys_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """Read before any test of the module, and gone from the database before it begins."""
    client = Client()
    media = tmp_path_factory.mktemp("media")
    with (
        pytest.MonkeyPatch.context() as patch,
        override_settings(MEDIA_ROOT=media, LINKS_KEY_FILE=keys_dir / "links.key"),
        django_db_blocker.unblock(),
        transaction.atomic(),
    ):
        # Imported above, before it is patched, since it keeps the number under its own name.
        for module in (pages, query):
            patch.setattr(module, "PAGE_SIZE", FEW)
        ids = an_uneven_newsroom()
        found = crawl(client, "/")
        uneven = Article.objects.in_bulk(ids.values()).values()
        beside = {
            path: ask(client, path)
            for code in languages.codes()
            for path in [
                f"/{code}/none/",
                asked(client, SOUGHT[code], code),
                *(article.public_path_in(code) for article in uneven),
            ]
        }
        transaction.set_rollback(True)
    return Site(found, ids, beside)


def test_no_link_is_dead(site: Site) -> None:
    dead = {path: one.status for path, one in site.found.items() if one.status != 200}
    assert dead == {}
    kinds = Counter(re.sub(r"\d[\d-]*", "#", path.partition("/")[2][2:]) for path in site.found)
    assert len(site.pages) > 200, kinds


@pytest.mark.parametrize("code", languages.codes())
def test_every_kind_of_page_is_reached_in_every_language(site: Site, code: str) -> None:
    wanted = [
        *("", "weeks/", "weeks/2/", "topics/elite/", "topics/elite/2/", "search/", "subscribe/"),
        *("authors/marta-zubr/", "authors/marta-zubr/2/", "authors/stranger/", "about/"),
        *("privacy/", "barometer/", "barometer/2026/", "barometer/2026.csv", "barometer/all.json"),
    ]
    assert [path for path in wanted if f"/{code}/{path}" not in site.found] == []
    assert any(re.fullmatch(rf"/{code}/weeks/[\d-]+/", path) for path in site.found)
    assert any(re.fullmatch(rf"/{code}/\d+/[a-z0-9-]+/", path) for path in site.found)


def test_every_place_in_a_page_that_a_link_names_is_there(site: Site) -> None:
    missing = []
    for page in [*site.pages, *site.beside.values()]:
        ids = [one.attributes["id"] for one in page.tree.walk() if "id" in one.attributes]
        assert len(ids) == len(set(ids)), (page.path, Counter(ids).most_common(1))
        for link in page.tree.all("a"):
            target = urlsplit(urljoin(page.path, link.attributes["href"]))
            if target.fragment and not target.netloc:
                aimed_at = (
                    page if target.path == urlsplit(page.path).path else site.found[target.path]
                )
                there = aimed_at.tree.all(id=target.fragment)
                missing += [] if there else [(page.path, link.attributes["href"])]
    assert missing == []


def test_no_answer_has_a_cookie_or_depends_on_one(site: Site) -> None:
    for one in [*site.found.values(), *site.beside.values()]:
        assert one.cookies == [], one.path
        assert "cookie" not in one.headers.get("Vary", "").lower(), one.path


def test_nothing_is_loaded_from_elsewhere_and_no_link_names_our_host(site: Site) -> None:
    for page in [*site.pages, *site.beside.values()]:
        scripts = [one for one in page.tree.all("script") if not is_data(one)]
        assert scripts + page.tree.all("iframe", "object", "embed", "base") == [], page.path
        for element in page.tree.walk():
            given = element.attributes
            assert not any(name.startswith("on") or name == "style" for name in given), page.path
            loaded = [given[name] for name in ("src", "action", "formaction") if name in given]
            loaded += [part.split()[0] for part in given.get("srcset", "").split(",") if part]
            if element.tag == "link" and not is_about(element):
                loaded.append(given["href"])
            assert all(re.match("/(?!/)", address) for address in loaded), (page.path, loaded)
            if element.tag == "a":
                assert not given["href"].startswith(settings.SITE_URL), page.path


def test_every_file_that_a_page_loads_is_there_and_loads_no_other(site: Site) -> None:
    files = {file for page in site.pages for file in page.files()}
    assert set(STYLES) <= files
    for file in files:
        text = source(file).decode()
        assert "@import" not in text
        assert re.findall(r"url\((?!\s*[\"']?#)", text) == [], file


@pytest.mark.parametrize("code", languages.codes())
def test_a_first_visit_without_pictures_is_small(site: Site, code: str) -> None:
    """The first page and what it leads to, as they are sent without any proxy: pages as they
    are, files compressed, and all headers."""
    first = site.found[f"/{code}/"]
    led_to = [site.found.get(link.attributes["href"]) for link in first.tree.all("a")]
    for page in [first, *filter(None, led_to)]:
        if not page.is_page or "barometer" in page.path:
            continue
        files = [gzip.compress(source(file)) for file in page.files()]
        heads = len("".join(map("".join, page.headers.items()))) * (1 + len(files))
        assert len(page.text.encode()) + sum(map(len, files)) + heads <= SMALL, page.path


def test_a_page_is_in_the_language_of_its_address(site: Site) -> None:
    for page in [*site.pages, *site.beside.values()]:
        [html] = page.tree.all("html")
        assert html.attributes["lang"] == page.language, page.path
        assert page.headers["Content-Language"] == page.language, page.path
        [head] = page.tree.all("head")
        [title] = head.all("title")
        assert title.text, page.path


def test_no_text_stands_under_a_foreign_language(site: Site) -> None:
    """But for names that are the same everywhere, which say that they are in none: credits."""
    foreign: set[tuple[str, str, str]] = set()
    for page in [*site.pages, *site.beside.values()]:
        for element, text in page.tree.spoken():
            for pattern in FOREIGN.get(element.language, []):
                if any(word not in ALLOWED for word in pattern.findall(NOT_PROSE.sub("", text))):
                    foreign.add((page.path, element.language, text.strip()))
    assert sorted(foreign)[:20] == []


def test_content_in_another_language_is_labelled_in_the_pages_language(site: Site) -> None:
    """A language's own name, and whatever stands beside its name in the page's language."""
    labelled = 0
    for page in [*site.pages, *site.beside.values()]:
        for element, text in page.tree.texts():
            code = element.language
            if code in {page.language, ""} or text.strip() == languages.native_name(code):
                continue
            around = element.nearest("article", "li", "tr") or element.nearest("p")
            said = around.text if around else ""
            assert languages.name(code, page.language) in said, (page.path, text)
            labelled += 1
    assert labelled > 10


def test_alternates_are_valid_both_ways(site: Site) -> None:
    for page in site.pages:
        alternates = page.alternates()
        codes = set(alternates) - {"x-default"}
        if not page.may_be_found:
            assert page.language not in codes, page.path
            continue
        assert alternates[page.language] == page.canonical(), page.path
        default = alternates.get(languages.default())
        assert alternates.get("x-default") == default, page.path
        for code in codes:
            other = site.found[alternates[code]]
            assert other.language == code
            assert other.may_be_found, (page.path, other.path)
            assert other.alternates() == alternates, (page.path, other.path)


def test_every_page_that_may_be_found_has_one_address_and_leads_to_it(site: Site) -> None:
    for page in site.pages:
        canonical = page.canonical()
        if page.may_be_found:
            assert canonical is not None, page.path
            assert site.found[canonical].canonical() == canonical
            if page.path != "/":
                year = re.fullmatch(r"(/\w+/barometer/)2026/", canonical)
                bare = re.match(r"/\w+/\d+/", canonical)
                assert page.path in {canonical, year and year[1], bare and bare[0]}, page.path
        else:
            assert canonical is None, page.path


def test_the_switcher_the_head_and_the_lists_agree_on_what_there_is(site: Site) -> None:
    for page in site.pages:
        if not page.may_be_found:
            assert page.alternates() == {}, page.path
            continue
        [switcher] = [one for one in page.tree.all("nav") if "switcher" in one.classes]
        offered = {
            one.attributes["hreflang"]: one.attributes["href"]
            for one in switcher.all("a")
            if "unavailable" not in one.classes
        }
        others = {code: path for code, path in page.alternates().items() if code != "x-default"}
        others.pop(page.language, None)
        assert {code: unquote(path) for code, path in offered.items()} == others, page.path


def test_a_list_of_one_language_has_no_other(site: Site) -> None:
    lists = [page for page in site.pages if re.search(r"/(topics|authors)/|search", page.path)]
    assert lists
    for page in lists:
        for item in page.tree.all("main")[0].all("article"):
            hrefs = [link.attributes["href"] for link in item.all("a")]
            assert all(href.startswith(f"/{page.language}/") for href in hrefs), page.path


@pytest.mark.parametrize("kind", ["only_ru", "no_be", "gone", "be_gone"])
def test_an_article_that_is_not_there_in_a_language_is_in_no_list_of_it(
    site: Site, kind: str
) -> None:
    """The week shows it in another language and says so; the address says what became of it."""
    pk = site.ids[kind]
    linked = {path for path in site.found if re.match(rf"/\w+/{pk}/", path)}
    there = {"only_ru": {"ru"}, "no_be": {"en", "ru"}, "gone": set(), "be_gone": {"en", "ru"}}[kind]
    statuses = {
        code: site.beside[f"/{code}/{pk}/"].status
        for code in languages.codes()
        if code not in there
    }
    assert {site.found[path].language for path in linked if site.found[path].may_be_found} == there
    assert set(statuses.values()) == ({410} if "gone" in kind else {200})
    for code in statuses:
        page = site.beside[f"/{code}/{pk}/"]
        assert not page.may_be_found
        assert page.canonical() is None
        for link in page.tree.all("main")[0].all("a"):
            assert site.found[link.attributes["href"]].status == 200
    noted = site.beside[f"/be/{site.ids['gone']}/"].text
    assert "Крыніца памылілася." in noted
