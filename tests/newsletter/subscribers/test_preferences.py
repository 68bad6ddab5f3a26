"""The page of a reader's own, behind a mailed link."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core import mail
from django.test import Client

from keys import tokens
from keys.tokens import BadToken, Kind
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import (
    Delivery,
    Departure,
    DepartureKind,
    Edition,
    Mailing,
    MailKind,
    Subscriber,
    SubscriberStatus,
    Suppression,
    VariantKind,
)
from newsletter.subscribers import preferences
from newsletter.subscribers.sign_up import StaleLink
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber
from tests.newsletter import single_mails

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


@pytest.fixture
def reader() -> Subscriber:
    edition = make_edition(code="be-ru", discreet=True)
    return make_subscriber(edition=edition, address="reader@example.org")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
    """The views' clock stands."""
    monkeypatch.setattr("newsletter.public.views.timezone.now", lambda: NOW)
    return NOW


def letter_path(reader: Subscriber) -> str:
    return f"/be/letter/{tokens.make_token(Kind.LETTER, reader.pk, 1)}/"


def own_path(reader: Subscriber, now: dt.datetime = NOW) -> str:
    until = int((now + dt.timedelta(hours=1)).timestamp())
    return f"/be/preferences/{tokens.make_token(Kind.PREFERENCES, reader.pk, until)}/"


def test_a_letters_link_mails_its_reader_the_way_to_their_preferences(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    assert "preferences/" in client.get(letter_path(reader)).content.decode()
    assert not mail.outbox
    client.post(letter_path(reader) + "preferences/")
    assert single_mails.waiting(MailKind.PREFERENCES, now) == [reader.pk]
    assert single_mails.send_preferences_link(reader.pk, now)
    [message] = mail.outbox
    assert message.to == ["reader@example.org"]
    found = re.search(r"(/be/preferences/[a-z2-7]+/)", message.body)
    assert found
    assert client.get(found.group(1)).status_code == 200


def test_a_link_to_the_preferences_is_mailed_once_a_day_and_the_answer_never_tells(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    path = letter_path(reader) + "preferences/"
    first, second = client.post(path), client.post(path)
    nobody = tokens.make_token(Kind.LETTER, 12345, 1)
    third = client.post(f"/be/letter/{nobody}/preferences/")
    assert first.content == second.content
    # The switcher's links repeat the address that was asked for, and nothing else differs.
    token = path.split("/")[3].encode()
    assert first.content.replace(token, b"") == third.content.replace(nobody.encode(), b"")
    assert single_mails.send_preferences_link(reader.pk, now)
    assert not single_mails.send_preferences_link(reader.pk, now)
    assert not reader.ask_for_preferences(now + dt.timedelta(hours=23))
    assert reader.ask_for_preferences(now + dt.timedelta(hours=24))


def test_the_link_works_for_an_hour(reader: Subscriber) -> None:
    token = own_path(reader).split("/")[-2]
    assert preferences.find(token, NOW + dt.timedelta(minutes=59)) == reader
    with pytest.raises(StaleLink):
        preferences.find(token, NOW + dt.timedelta(minutes=61))


@pytest.mark.parametrize("kind", [Kind.LETTER, Kind.CONFIRM, Kind.MESSAGE, Kind.RETURN_PATH])
def test_a_token_of_another_kind_opens_no_preferences(kind: Kind, reader: Subscriber) -> None:
    far = 4_000_000_000
    with pytest.raises(BadToken):
        preferences.find(tokens.make_token(kind, reader.pk, far), NOW)


def test_a_stale_or_cut_link_is_told_so_kindly(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    old = own_path(reader, NOW - dt.timedelta(hours=2))
    for ending in ("", "leave/", "forget/"):
        assert client.post(old + ending).status_code == 410
        assert client.post(f"/be/preferences/abc/{ending}").status_code == 404
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.ACTIVE


def test_a_reader_changes_edition_variant_and_language(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    make_edition(code="en", discreet=True)
    answer = client.post(own_path(reader), {"edition": "en", "discreet": "on", "language": "en"})
    assert "Захавана" in answer.content.decode()
    reader.refresh_from_db()
    assert (reader.edition.code, reader.variant, reader.language) == (
        "en",
        VariantKind.DISCREET,
        "en",
    )


def test_a_change_counts_from_the_next_digest_on(client: Client, now: dt.datetime) -> None:
    mailing = make_mailing(readers=1)

    mailings.launch(mailing, NOW)
    reader = Subscriber.objects.get()
    other = make_edition(code="be-ru")
    preferences.change(reader, edition=other, variant=VariantKind.FULL, language="be")
    delivery = Delivery.objects.get()
    assert delivery.mailing == mailing
    assert delivery.status == "pending"


def test_what_is_no_choice_is_refused_and_changes_nothing(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    answer = client.post(own_path(reader), {"edition": "xx", "language": "be"})
    assert answer.status_code == 400
    make_edition(code="en")
    answer = client.post(own_path(reader), {"edition": "en", "discreet": "on", "language": "be"})
    assert answer.status_code == 400
    reader.refresh_from_db()
    assert reader.edition.code == "be-ru"


def test_a_reader_sees_what_is_held_and_why_and_how_long(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    page = client.get(own_path(reader)).content.decode()
    assert "reader@example.org" not in page
    for told in ("Выпуск", "BE/RU", "запячатаны", "пакуль вас не забудуць", "Лісты да вас"):
        assert told in page
    assert "Newsletter" not in page


def test_leaving_from_the_preferences_is_leaving(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    assert client.get(own_path(reader) + "leave/").status_code == 302
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.ACTIVE
    client.post(own_path(reader) + "leave/")
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.LEFT
    assert not reader.sealed_address


@pytest.mark.both_databases
def test_forgetting_says_what_it_means_and_then_leaves_nothing(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    page = client.get(own_path(reader) + "forget/").content.decode()
    assert "90 дзён" in page
    assert Subscriber.objects.exists()
    assert client.post(own_path(reader) + "forget/").status_code == 200
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert [one.kind for one in Departure.objects.all()] == [DepartureKind.FORGOTTEN]
    assert client.get(letter_path(reader)).status_code == 200, "an old letter's link is kind"


@pytest.mark.both_databases
def test_who_is_forgotten_in_the_middle_of_a_mailing_keeps_the_ledger_balanced() -> None:
    mailing = make_mailing(readers=2)
    mailings.launch(mailing, NOW)
    first = Subscriber.objects.first()
    assert first is not None
    first.forget(NOW)
    counts = mailings.ledger(Mailing.objects.get())
    assert counts.audience == 2
    assert counts.balances


def test_an_edition_may_lose_its_discreet_means_without_breaking_the_page(
    client: Client, reader: Subscriber, now: dt.datetime
) -> None:
    Subscriber.objects.update(variant=VariantKind.DISCREET)
    Edition.objects.update(discreet_subject="")
    assert client.get(own_path(reader)).status_code == 200
