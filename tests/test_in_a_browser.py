"""The site and the desk in Chromium: everything works under the policies, and they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from articles.models import Article, Author
from newsletter.models import Mailing
from newsroom import links
from tests.articles.browser import page_of
from tests.browsing import Visitor
from tests.factories import make_article, make_mailing, make_topic, make_user

pytestmark = pytest.mark.django_db(transaction=True)
WRITTEN = {"title": "The budget", "lead": "In short."}


@pytest.fixture
def visitor(chromium: Browser, live_server: LiveServer) -> Iterator[Visitor]:
    """A window of its own; whatever it was refused fails the test, unless the test is about it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    yield Visitor(context, live_server.url)
    context.close()


@pytest.fixture
def editor(visitor: Visitor) -> Visitor:
    """The window of a superuser."""
    visitor.log_in(make_user())
    return visitor


def mail_and_articles() -> Mailing:
    """A site with something on every kind of page."""
    mailing = make_mailing()
    make_article(topic=make_topic(code="west", position=2), verdict="worsened")
    Author.objects.create(name_en="Hanna Lis", name_be="Ганна Ліс", name_ru="Анна Лис")
    return mailing


def kinds_of_pages(visitor: Visitor, start: str) -> Iterator[str]:
    """Follows every link from there and opens one page of each kind."""
    waiting, kinds = [start], set()
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"/(be|ru|en)/|\d[\d-]*|[^/]*(?=/$)(?<=\d/)", "#", urlsplit(path).path)
        if kind in kinds or "logout" in kind:
            continue
        kinds.add(kind)
        page = visitor.go(path)
        yield path
        hrefs = page.eval_on_selector_all("a[href]", "all => all.map((one) => one.href)")
        here = [href.removeprefix(visitor.url) for href in hrefs if href.startswith(visitor.url)]
        waiting += [
            urljoin(path, href.partition("#")[0])
            for href in here
            if href.startswith("/admin/") == start.startswith("/admin/")
        ]


def test_no_readers_page_is_refused_anything(visitor: Visitor) -> None:
    mailing = mail_and_articles()
    subscriber = mailing.edition.subscribers.first()
    seen = list(kinds_of_pages(visitor, "/be/"))
    seen += ["/en/nowhere/", f"/en/letter/{links.letter_token(mailing.pk, subscriber.pk)}/"]
    for path in seen[-2:]:
        visitor.go(path)
    assert len(seen) > 6, seen
    assert visitor.refused == []
