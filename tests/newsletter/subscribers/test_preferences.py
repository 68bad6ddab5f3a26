"""The page of a subscriber's own, behind a mailed link."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.core import mail
from django.test import Client

from keys import tokens
from keys.tokens import InvalidToken, TokenKind
from newsletter.campaigns.lifecycle import launch, ledger
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
from newsletter.subscribers.sign_up import ExpiredLink
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber
from tests.newsletter import transactional_mails

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


@pytest.fixture
def subscriber() -> Subscriber:
    edition = make_edition(code="be-ru", discreet=True)
    return make_subscriber(edition=edition, address="reader@example.org")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
    """The views' clock stands."""
    monkeypatch.setattr("newsletter.public.views.timezone.now", lambda: NOW)
    return NOW


def letter_path(subscriber: Subscriber) -> str:
    return f"/be/letter/{tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)}/"


def own_path(subscriber: Subscriber, now: dt.datetime = NOW) -> str:
    until = int((now + dt.timedelta(hours=1)).timestamp())
    return f"/be/preferences/{tokens.make_token(TokenKind.PREFERENCES, subscriber.pk, until)}/"


def test_a_letters_link_mails_the_link_to_the_preferences(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    assert "preferences/" in client.get(letter_path(subscriber)).content.decode()
    assert not mail.outbox
    client.post(letter_path(subscriber) + "preferences/")
    assert transactional_mails.waiting(MailKind.PREFERENCES, now) == [subscriber.pk]
    assert transactional_mails.send_preferences_link(subscriber.pk, now)
    [message] = mail.outbox
    assert message.to == ["reader@example.org"]
    found = re.search(r"(/be/preferences/[a-z2-7]+/)", message.body)
    assert found
    assert client.get(found.group(1)).status_code == 200


def test_the_preferences_link_is_mailed_once_a_day_and_the_response_never_says_so(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    path = letter_path(subscriber) + "preferences/"
    first, second = client.post(path), client.post(path)
    nobody = tokens.make_token(TokenKind.LETTER, 12345, 1)
    third = client.post(f"/be/letter/{nobody}/preferences/")
    assert first.content == second.content
    # The switcher's links repeat the address that was asked for, and nothing else differs.
    token = path.split("/")[3].encode()
    assert first.content.replace(token, b"") == third.content.replace(nobody.encode(), b"")
    assert transactional_mails.send_preferences_link(subscriber.pk, now)
    assert not transactional_mails.send_preferences_link(subscriber.pk, now)
    assert not subscriber.ask_for_preferences(now + dt.timedelta(hours=23))
    assert subscriber.ask_for_preferences(now + dt.timedelta(hours=24))


def test_the_link_works_for_an_hour(subscriber: Subscriber) -> None:
    token = own_path(subscriber).split("/")[-2]
    assert (
        preferences.find_by_preferences_token(token, NOW + dt.timedelta(minutes=59)) == subscriber
    )
    with pytest.raises(ExpiredLink):
        preferences.find_by_preferences_token(token, NOW + dt.timedelta(minutes=61))


@pytest.mark.parametrize(
    "kind", [TokenKind.LETTER, TokenKind.CONFIRM, TokenKind.MESSAGE, TokenKind.RETURN_PATH]
)
def test_a_token_of_another_kind_opens_no_preferences(
    kind: TokenKind, subscriber: Subscriber
) -> None:
    far = 4_000_000_000
    with pytest.raises(InvalidToken):
        preferences.find_by_preferences_token(tokens.make_token(kind, subscriber.pk, far), NOW)


def test_an_expired_or_truncated_link_says_so(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    old = own_path(subscriber, NOW - dt.timedelta(hours=2))
    for ending in ("", "leave/", "forget/"):
        assert client.post(old + ending).status_code == 410
        assert client.post(f"/be/preferences/abc/{ending}").status_code == 404
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.ACTIVE


def test_a_subscriber_changes_edition_variant_and_language(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    make_edition(code="en", discreet=True)
    answer = client.post(
        own_path(subscriber), {"edition": "en", "discreet": "on", "language": "en"}
    )
    assert "Захавана" in answer.content.decode()
    subscriber.refresh_from_db()
    assert (subscriber.edition.code, subscriber.variant, subscriber.language) == (
        "en",
        VariantKind.DISCREET,
        "en",
    )


def test_a_change_counts_from_the_next_digest_on(client: Client, now: dt.datetime) -> None:
    mailing = make_mailing(readers=1)

    launch(mailing, NOW)
    subscriber = Subscriber.objects.get()
    other = make_edition(code="be-ru")
    preferences.update_preferences(
        subscriber, edition=other, variant=VariantKind.FULL, language="be"
    )
    delivery = Delivery.objects.get()
    assert delivery.mailing == mailing
    assert delivery.status == "pending"


def test_an_invalid_choice_is_refused_and_changes_nothing(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    answer = client.post(own_path(subscriber), {"edition": "xx", "language": "be"})
    assert answer.status_code == 400
    make_edition(code="en")
    answer = client.post(
        own_path(subscriber), {"edition": "en", "discreet": "on", "language": "be"}
    )
    assert answer.status_code == 400
    subscriber.refresh_from_db()
    assert subscriber.edition.code == "be-ru"


def test_a_subscriber_sees_their_data_why_and_how_long(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    page = client.get(own_path(subscriber)).content.decode()
    assert "reader@example.org" not in page
    for told in ("Выпуск", "BE/RU", "запячатаны", "пакуль вас не забудуць", "Лісты да вас"):
        assert told in page
    assert "Newsletter" not in page


def test_unsubscribing_on_the_preferences_page(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    assert client.get(own_path(subscriber) + "leave/").status_code == 302
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.ACTIVE
    client.post(own_path(subscriber) + "leave/")
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.UNSUBSCRIBED
    assert not subscriber.sealed_address


@pytest.mark.both_databases
def test_forgetting_explains_itself_and_then_deletes_everything(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    page = client.get(own_path(subscriber) + "forget/").content.decode()
    assert "90 дзён" in page
    assert Subscriber.objects.exists()
    assert client.post(own_path(subscriber) + "forget/").status_code == 200
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert [one.kind for one in Departure.objects.all()] == [DepartureKind.FORGOTTEN]
    assert client.get(letter_path(subscriber)).status_code == 200, "an old letter's link is kind"


@pytest.mark.both_databases
def test_who_is_forgotten_in_the_middle_of_a_mailing_keeps_the_ledger_balanced() -> None:
    mailing = make_mailing(readers=2)
    launch(mailing, NOW)
    first = Subscriber.objects.first()
    assert first is not None
    first.forget(NOW)
    counts = ledger(Mailing.objects.get())
    assert counts.audience == 2
    assert counts.balances


def test_an_edition_may_lose_its_discreet_means_without_breaking_the_page(
    client: Client, subscriber: Subscriber, now: dt.datetime
) -> None:
    Subscriber.objects.update(variant=VariantKind.DISCREET)
    Edition.objects.update(discreet_subject="")
    assert client.get(own_path(subscriber)).status_code == 200
