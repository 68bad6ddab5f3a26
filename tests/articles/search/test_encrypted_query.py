"""The address of a search's results: who can read it, how long, and what it says afterwards."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.test import Client
from pytest_django.fixtures import Settings

from articles.models import Topic
from articles.public.forms import MAX_QUERY_LENGTH
from articles.search import encrypted_query
from articles.search.encrypted_query import SearchExpired, SearchInput
from keys import ephemeral
from keys.ephemeral import EphemeralKeys
from keys.tokens import InvalidToken
from newsroom import log_redaction
from tests.articles.requests import result_titles, submit_search
from tests.factories import MONDAY_MORNING, make_article
from tests.html_pages import normalize_html

MINUTE = dt.timedelta(minutes=1)
ASKED = SearchInput("бюджэт", "elite", "2026")


@pytest.fixture(autouse=True)
def fresh_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = EphemeralKeys(dt.timedelta(minutes=30), periods=3)
    monkeypatch.setattr(ephemeral, "HOURLY_KEYS", keys)


@pytest.mark.django_db
def test_for_an_hour_at_least_it_opens_and_then_it_is_over(client: Client) -> None:
    make_article()
    with time_machine.travel(MONDAY_MORNING, tick=False) as clock:
        path = submit_search(client, "бюджэту", "be", topic="elite")
        clock.shift(60 * MINUTE)
        assert result_titles(normalize_html(client.get(path).content.decode())) == ["Бюджэт be"]
        clock.shift(31 * MINUTE)
        for at in (path, f"{path}2/", path.replace("/be/", "/en/")):
            answer = client.get(at)
            assert answer.status_code == 410
            assert answer.headers["Cache-Control"] == "no-store"
        page = normalize_html(client.get(path).content.decode())
        assert "Гэты пошук скончыўся" in page
        assert "бюджэт" not in page.partition("<main")[2].partition("</main>")[0].lower()
        assert re.search(r'<input[^>]* name="q"(?![^>]* value)', page)
        assert '<option value="elite" selected' not in page
        assert 'name="robots" content="noindex' in page
        assert result_titles(
            normalize_html(client.get(submit_search(client, "бюджэту")).content.decode())
        ) == ["Бюджэт be"]


@pytest.mark.django_db
def test_no_answer_of_a_search_names_itself_to_search_engines(client: Client) -> None:
    path = submit_search(client, "бюджэт")
    head = normalize_html(client.get(path).content.decode()).partition("</head>")[0]
    assert 'content="noindex' in head
    assert "canonical" not in head
    assert "/search/" not in head


def test_a_site_started_anew_opens_none_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    token = encrypted_query.encrypt_query(ASKED, MONDAY_MORNING)
    anew = EphemeralKeys(dt.timedelta(minutes=30), periods=3)
    monkeypatch.setattr(ephemeral, "HOURLY_KEYS", anew)
    with pytest.raises(SearchExpired):
        encrypted_query.decrypt_query(token, MONDAY_MORNING)


def test_no_other_secret_of_ours_opens_it(settings: Settings) -> None:
    """Whoever has every key on the disk has no part in it."""
    token = encrypted_query.encrypt_query(ASKED, MONDAY_MORNING)
    settings.SECRET_KEY, settings.LINKS_KEY_FILE = "another", None
    assert encrypted_query.decrypt_query(token, MONDAY_MORNING) == ASKED


def test_the_same_words_never_have_the_same_address_twice() -> None:
    """Else whoever has an address could try which words it is of."""
    assert len({encrypted_query.encrypt_query(ASKED, MONDAY_MORNING) for _ in range(50)}) == 50


def test_how_long_the_words_are_is_not_to_be_seen() -> None:
    asked = [SearchInput("ж" * number, "", "") for number in range(28)]
    assert len({len(encrypted_query.encrypt_query(one, MONDAY_MORNING)) for one in asked}) == 1


def test_the_longest_that_may_be_asked_fits_into_an_address() -> None:
    longest = SearchInput(
        "💩" * MAX_QUERY_LENGTH, "t" * Topic._meta.get_field("code").max_length, "2026"
    )
    token = encrypted_query.encrypt_query(longest, MONDAY_MORNING)
    assert len(token) < 1900, "some browsers and proxies end at two thousand characters"
    assert encrypted_query.decrypt_query(token, MONDAY_MORNING) == longest


def test_a_changed_one_is_rubbish_and_not_merely_over() -> None:
    token = encrypted_query.encrypt_query(ASKED, MONDAY_MORNING)
    for place in range(8, len(token) - 1, 7):
        other = "b" if token[place] == "a" else "a"
        with pytest.raises(InvalidToken):
            encrypted_query.decrypt_query(
                token[:place] + other + token[place + 1 :], MONDAY_MORNING
            )
    assert encrypted_query.decrypt_query(token.upper(), MONDAY_MORNING) == ASKED


def test_no_log_line_says_it() -> None:
    token = encrypted_query.encrypt_query(ASKED, MONDAY_MORNING)
    for line in (f"Gone: /be/search/{token}/2/", f"/be/search/{token[:60]}", f"%2F{token}x"):
        masked = log_redaction.redact(line)
        assert "[token]" in masked
        assert not any(token[at : at + 12] in masked for at in range(len(token) - 12))
