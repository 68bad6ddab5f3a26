"""No page and no letter shows an English word to whoever reads Belarusian or Russian."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from django.core import mail
from django.test import Client

from core import languages
from keys import tokens
from keys.tokens import TokenKind
from newsletter.models import SignUp
from newsletter.subscribers import sign_up
from tests.factories import MONDAY_MORNING
from tests.languages.conftest import Newsroom
from tests.languages.visible_text import untranslated_texts
from tests.newsletter import transactional_mails

pytestmark = pytest.mark.django_db
TRANSLATED = [
    pytest.param(code, marks=[] if code == "be" else pytest.mark.long)
    for code in languages.codes()
    if code != "en"
]
# The tests' own data, the example of an address, and formats that are named alike everywhere.
ALLOWED = frozenset(["be", "ru", "name", "example", "org", "CSV", "JSON"])
DATA = (".csv", ".json")
LINK = re.compile(r'href="(/[^"]*)"')


@pytest.mark.parametrize("language", TRANSLATED)
def test_on_no_page(client: Client, newsroom: Newsroom, language: str) -> None:
    token = tokens.make_token(TokenKind.LETTER, newsroom.subscriber.pk, newsroom.mailing.pk)
    subscribe, letter = f"/{language}/subscribe/", f"/{language}/letter/{token}/"
    pages = {
        "home": client.get(f"/{language}/"),
        "no such page": client.get(f"/{language}/none/"),
        "withdrawn": client.get(newsroom.withdrawn.path_in(language)),
        "empty form": client.post(subscribe, {}),
        "no address": client.post(subscribe, {"email": "зубр", "edition": "be-ru"}),
        "not a domain": client.post(subscribe, {"email": "a@b", "edition": "be-ru"}),
        "no edition": client.post(subscribe, {"email": "a@example.org", "edition": "?"}),
        "done": client.get(f"{subscribe}done/"),
        "letter": client.get(letter),
        "left": client.post(letter),
        "broken": client.get(f"/{language}/letter/{token[:-3]}/"),
        "broken confirmation": client.get(f"/{language}/confirm/nonsense/"),
    }
    waiting = LINK.findall(pages["home"].content.decode())
    while waiting:
        path = waiting.pop()
        is_page = path.endswith("/")
        if path not in pages and path.startswith(f"/{language}/") and is_page:
            pages[path] = client.get(path)
            waiting += LINK.findall(pages[path].content.decode())
    assert {newsroom.published.path_in(language), f"/{language}/weeks/", subscribe} <= pages.keys()
    assert {f"/{language}/barometer/", f"/{language}/privacy/"} <= pages.keys()
    found = {
        name: untranslated_texts(page.content.decode(), language, ALLOWED)
        for name, page in pages.items()
    }
    assert {name: words for name, words in found.items() if words} == {}


def test_not_where_a_text_is_missing_in_the_language(client: Client, newsroom: Newsroom) -> None:
    page = client.get(f"/ru/{newsroom.draft.pk}/")
    assert page.status_code == 404
    assert untranslated_texts(page.content.decode(), "ru", ALLOWED) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_not_while_somebody_signs_up(client: Client, newsroom: Newsroom, language: str) -> None:
    client.post(f"/{language}/subscribe/", {"email": "new@example.org", "edition": "be-ru"})
    subscriber = sign_up.process_sign_up(SignUp.objects.get().pk, MONDAY_MORNING)
    assert subscriber is not None
    transactional_mails.send_confirmation(subscriber, MONDAY_MORNING)
    [letter] = mail.outbox
    text = str(letter.body)
    path = re.search(rf"/{language}/confirm/\S+", text)
    assert path is not None
    said = f"{letter.subject} {text}"
    assert untranslated_texts(said, language, ALLOWED) == []
    for page in (client.get(path[0]), client.post(path[0]), client.get(path[0])):
        assert untranslated_texts(page.content.decode(), language, ALLOWED) == []


def test_not_in_the_weekly_letter(newsroom: Newsroom) -> None:
    letter = message_from_bytes(
        bytes(newsroom.mailing.variants.get().content), policy=policy.default
    )
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert untranslated_texts(f"{letter['Subject']} {plain.get_content()}", "be", ALLOWED) == []
    assert untranslated_texts(html.get_content(), "be", ALLOWED) == []
