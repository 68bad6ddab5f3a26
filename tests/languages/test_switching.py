"""A member of staff picks the admin's language; public pages ignore it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from core import languages
from tests.languages.conftest import Newsroom

pytestmark = pytest.mark.django_db
INDEX = reverse("admin:index")


def spoken(client: Client, path: str = INDEX) -> str:
    """The language that a page says it is in."""
    answer = client.get(path)
    found = re.search(r'<html lang="([^"]+)"', answer.content.decode())
    assert found is not None
    assert answer.headers["Content-Language"] == found[1]
    return found[1]


def test_the_admin_offers_each_language_by_its_own_name(desk: Client) -> None:
    page = desk.get(INDEX).content.decode()
    for code in languages.codes():
        assert f'name="language" type="hidden" value="{code}"' in page
    assert f'action="{reverse("set_language")}"' in page


def test_what_is_picked_stays_and_leads_back(desk: Client) -> None:
    for code in languages.codes():
        answer = desk.post(reverse("set_language"), {"language": code, "next": "/admin/auth/"})
        assert answer.headers["Location"] == "/admin/auth/"
        assert spoken(desk) == code
        assert spoken(desk, "/admin/auth/") == code
        cookie = answer.cookies["django_language"]
        assert cookie["path"] == "/admin/", "public pages must not get it"
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_before_anything_is_picked_the_admin_follows_the_browser(desk: Client) -> None:
    desk.defaults["HTTP_ACCEPT_LANGUAGE"] = "be, ru;q=0.5"
    assert spoken(desk) == "be"
    desk.post(reverse("set_language"), {"language": "ru"})
    assert spoken(desk) == "ru"


def test_the_door_can_be_switched_too(client: Client) -> None:
    client.post(reverse("set_language"), {"language": "be"})
    assert spoken(client, reverse("account_login")) == "be"


def test_looking_switches_nothing(desk: Client) -> None:
    answer = desk.get(reverse("set_language"), {"language": "ru"})
    assert not answer.cookies
    assert spoken(desk) == "en"


def test_it_leads_to_no_foreign_site_and_to_no_language_that_is_not_there(desk: Client) -> None:
    answer = desk.post(reverse("set_language"), {"language": "fr", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"
    assert spoken(desk) == "en"


def test_public_pages_follow_their_path_whatever_was_picked(
    desk: Client, newsroom: Newsroom
) -> None:
    desk.post(reverse("set_language"), {"language": "ru"})
    for path, language in (("/", "en"), ("/be/", "be"), ("/ru/", "ru"), ("/nothing/", "en")):
        assert spoken(desk, path) == language
        assert not desk.get(path).cookies


def test_a_foreign_page_cannot_switch_it(newsroom: Newsroom) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("set_language"), {"language": "ru"}).status_code == 403
