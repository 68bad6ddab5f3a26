"""robots.txt and security.txt."""

from __future__ import annotations

import datetime as dt
import urllib.robotparser

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from newsroom.checks import security_contact
from newsroom.public_urls import urlpatterns
from newsroom.well_known import TOKEN_PAGES

SITE = "https://news.example.org"


def text(client: Client, path: str) -> str:
    answer = client.get(path, headers={"host": "mirror.example.net"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert not answer.cookies
    return str(answer.content.decode())


@pytest.fixture(autouse=True)
def the_public_host(settings: Settings) -> None:
    settings.SITE_URL = SITE


def rules(client: Client) -> urllib.robotparser.RobotFileParser:
    parser = urllib.robotparser.RobotFileParser()
    parser.parse(text(client, "/robots.txt").splitlines())
    return parser


def test_sitemaps_are_named_on_the_public_host(client: Client) -> None:
    assert rules(client).site_maps() == [
        f"{SITE}/sitemap.xml",
        *(f"{SITE}/{code}/news.xml" for code in ("en", "be", "ru")),
    ]


@pytest.mark.parametrize("code", ["en", "be", "ru"])
def test_what_is_for_one_person_is_for_no_crawler(client: Client, code: str) -> None:
    token = "a" * 45
    private = [reverse(view, args=[code, token]) for view in TOKEN_PAGES]
    private += [reverse("leave", args=[code, token]), "/admin/", "/admin/login/"]
    assert [path for path in private if rules(client).can_fetch("*", path)] == []


def test_every_address_with_a_token_is_among_them() -> None:
    """Whoever adds such a page has to name it."""
    found = set()
    waiting = list(urlpatterns)
    while waiting:
        pattern = waiting.pop()
        waiting += getattr(pattern, "url_patterns", [])
        route = str(pattern.pattern)
        if "<str:token>" in route:
            found.add(route.partition("/")[0])
    assert found == set(TOKEN_PAGES)


def test_public_pages_are_open_to_crawlers(client: Client) -> None:
    found = rules(client)
    for path in ("/", "/be/", "/be/7/slug/", "/be/7/card-a.png", "/be/feed.xml", "/media/a.jpg"):
        assert found.can_fetch("*", path), path


def test_security_txt_names_the_contact(client: Client, settings: Settings) -> None:
    settings.SECURITY_CONTACT = ["mailto:security@example.org", "https://example.org/contact"]
    settings.SECURITY_EXPIRES = dt.date(2027, 6, 1)
    assert text(client, "/.well-known/security.txt").splitlines() == [
        "Contact: mailto:security@example.org",
        "Contact: https://example.org/contact",
        "Expires: 2027-06-01T00:00:00Z",
        "Preferred-Languages: en, be, ru",
        f"Canonical: {SITE}/.well-known/security.txt",
    ]


@pytest.mark.django_db
def test_without_a_contact_there_is_no_such_page(client: Client) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404


def test_a_production_without_a_contact_is_warned(settings: Settings) -> None:
    assert list(security_contact()) == []
    settings.PRODUCTION = True
    assert [found.id for found in security_contact()] == ["newsroom.W001"]
    settings.SECURITY_CONTACT = ["mailto:security@example.org"]
    assert list(security_contact()) == []
