"""Coming to the list and leaving it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from unittest import mock

import pytest
from django.core import mail
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing, tokens
from keys.sealing import KeyNotFound
from keys.tokens import InvalidToken, TokenKind
from newsletter.campaigns import messages
from newsletter.delivery.relays.config import Relay
from newsletter.mime import RenderedMail
from newsletter.models import Edition, OutboxMail, SignUp, Subscriber, SubscriberStatus, Suppression
from newsletter.models.outbox import LEASE_DURATION
from newsletter.subscribers import sign_up as subscribing
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.sign_up import ExpiredLink
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
SUBSCRIBER = "Reader@Example.org"


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru")


def sign_up(
    edition: Edition, now: dt.datetime = NOW, address: str = SUBSCRIBER
) -> Subscriber | None:
    """The form, and the worker that looks at it."""
    row = subscribing.sign_up(address, edition, "be", now)
    subscriber_id = subscribing.process_sign_up(row.pk, now)
    if subscriber_id is not None:
        transactional_mails.send_confirmation(subscriber_id, now)
    assert not SignUp.objects.exists()
    return Subscriber.objects.filter(pk=subscriber_id).first()


def confirm_token() -> str:
    """Out of the newest mail."""
    found = re.search(r"/be/confirm/([a-z2-7]+)/", mail.outbox[-1].body)
    assert found
    return found.group(1)


def letter_token(subscriber: Subscriber) -> str:
    return tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)


def test_a_sign_up_is_confirmed_by_its_mail(edition: Edition) -> None:
    subscriber = sign_up(edition)
    assert subscriber is not None
    assert subscriber.status == SubscriberStatus.PENDING
    assert mail.outbox[-1].to == ["reader@example.org"]
    confirmed = subscribing.confirm(confirm_token(), NOW)
    assert confirmed.status == SubscriberStatus.ACTIVE
    assert confirmed.confirmed_at == NOW
    # Pressing the button twice is fine.
    assert subscribing.confirm(confirm_token(), NOW).status == SubscriberStatus.ACTIVE


def test_the_confirmation_quotes_nothing_that_was_typed(edition: Edition) -> None:
    sign_up(edition, address="buy-cheap-pills@example.org")
    [message] = mail.outbox
    assert "pills" not in message.body
    assert "pills" not in message.alternatives[0].content


def test_a_sealed_sign_up_tells_nothing_by_its_length(edition: Edition) -> None:
    short = subscribing.sign_up("a@example.org", edition, "be", NOW)
    long = subscribing.sign_up("a-much-longer-address@mail.example.org", edition, "be", NOW)
    assert len(short.sealed_address) == len(long.sealed_address)


def test_without_the_workers_key_a_sign_up_waits(edition: Edition, settings: Settings) -> None:
    row = subscribing.sign_up(SUBSCRIBER, edition, "be", NOW)
    settings.WORKER_KEY_FILE, kept = None, settings.WORKER_KEY_FILE
    with pytest.raises(KeyNotFound):
        subscribing.process_sign_up(row.pk, NOW)
    settings.WORKER_KEY_FILE = kept
    assert subscribing.process_sign_up(row.pk, NOW) is not None


def test_a_sign_up_sealed_with_a_foreign_key_is_dropped(edition: Edition) -> None:
    row = SignUp.objects.create(
        sealed_address=b"rubbish" * 20, edition=edition, language="be", wording=1, arrived_at=NOW
    )
    assert subscribing.process_sign_up(row.pk, NOW) is None
    assert not SignUp.objects.exists()


def test_an_active_subscriber_who_signs_up_again_gets_no_mail(edition: Edition) -> None:
    make_subscriber(edition=edition, address="reader@example.org")
    assert sign_up(edition) is None
    assert mail.outbox == []


def test_a_second_sign_up_within_a_day_sends_no_second_mail(edition: Edition) -> None:
    sign_up(edition)
    sign_up(edition, NOW + dt.timedelta(hours=23))
    assert len(mail.outbox) == 1
    sign_up(edition, NOW + dt.timedelta(hours=25))
    assert len(mail.outbox) == 2
    assert Subscriber.objects.count() == 1


def test_an_old_confirmation_does_nothing_after_a_new_sign_up(edition: Edition) -> None:
    sign_up(edition)
    old = confirm_token()
    sign_up(edition, NOW + dt.timedelta(days=2))
    with pytest.raises(ExpiredLink):
        subscribing.confirm(old, NOW + dt.timedelta(days=2))
    assert subscribing.confirm(confirm_token(), NOW + dt.timedelta(days=2))


def test_a_second_sign_up_during_sending_keeps_the_confirmation_link_valid(
    edition: Edition, relay: Catcher
) -> None:
    first, second = (subscribing.sign_up(SUBSCRIBER, edition, "be", NOW) for _ in range(2))
    SignUp.objects.filter(pk=second.pk).update(arrived_at=NOW + dt.timedelta(seconds=3))
    subscriber = subscribing.process_sign_up(first.pk, NOW)
    assert subscriber is not None
    answered = messages.transactional_mail

    def pressed_again(*about: Any) -> RenderedMail:
        rendered = answered(*about)
        subscribing.process_sign_up(second.pk, NOW)
        return rendered

    with mock.patch.object(messages, "transactional_mail", pressed_again):
        assert transactional_mails.send_confirmation(subscriber, NOW)
    assert not transactional_mails.send_confirmation(subscriber, NOW + LEASE_DURATION)
    [letter] = relay.letters
    found = re.search(r"/be/confirm/([a-z2-7]+)/", letter.contents.text)
    assert found
    assert subscribing.confirm(found.group(1), NOW).status == SubscriberStatus.ACTIVE


def test_a_confirmation_that_the_relay_deferred_is_sent_later(
    edition: Edition, settings: Settings
) -> None:
    works = settings.RELAYS
    settings.RELAYS = (Relay.parse("smtp://127.0.0.1:1"),)
    row = subscribing.sign_up(SUBSCRIBER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    assert not transactional_mails.send_confirmation(subscriber_id, NOW)
    settings.RELAYS = works
    assert not transactional_mails.send_confirmation(subscriber_id, NOW)
    later = NOW + LEASE_DURATION
    assert transactional_mails.send_confirmation(subscriber_id, later)
    assert not transactional_mails.send_confirmation(subscriber_id, later + dt.timedelta(days=1))


def test_a_mailbox_that_does_not_exist_gets_one_attempt(edition: Edition, relay: Catcher) -> None:
    ScriptedRelay.replies["RCPT"] = after(0, "550 5.1.1 unknown")
    row = subscribing.sign_up(SUBSCRIBER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    assert not transactional_mails.send_confirmation(subscriber_id, NOW)
    assert not OutboxMail.objects.exists()


def test_a_confirmation_is_given_up_after_two_days_without_a_relay(
    edition: Edition, relay: Catcher
) -> None:
    ScriptedRelay.replies["RCPT"] = after(0, "451 4.7.1 later")
    row = subscribing.sign_up(SUBSCRIBER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    for days, waits in ((0, True), (1, True), (2, False)):
        assert not transactional_mails.send_confirmation(
            subscriber_id, NOW + dt.timedelta(days=days)
        )
        assert OutboxMail.objects.exists() is waits


def test_unsubscribing_erases_the_address_and_keeps_only_its_hash(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address="reader@example.org")
    assert subscribing.unsubscribe(letter_token(subscriber), NOW)
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.UNSUBSCRIBED
    assert subscriber.sealed_address == b""
    kept = Suppression.objects.get()
    assert bytes(kept.address_hash) == sealing.worker_keys().hash_address("reader@example.org", 1)
    assert not subscribing.unsubscribe(letter_token(subscriber), NOW)


def test_unsubscribing_needs_no_key(edition: Edition, settings: Settings) -> None:
    subscriber = make_subscriber(edition=edition)
    settings.WORKER_KEY_FILE = None
    assert subscribing.unsubscribe(letter_token(subscriber), NOW)


def test_after_an_unsubscribe_confirming_resubscribes(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address="reader@example.org")
    subscribing.unsubscribe(letter_token(subscriber), NOW)
    sign_up(edition)
    assert Suppression.objects.exists()
    subscribing.confirm(confirm_token(), NOW)
    assert not Suppression.objects.exists()
    # And a letter from before still lets them leave.
    assert subscribing.unsubscribe(letter_token(subscriber), NOW)


def test_after_a_bounce_resubscribing_takes_thirty_days(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address="reader@example.org")
    subscriber.end(SubscriberStatus.BOUNCED, NOW)
    assert sign_up(edition, NOW + dt.timedelta(days=29)) is None
    assert sign_up(edition, NOW + dt.timedelta(days=30)) is not None


def test_after_a_complaint_a_sign_up_does_nothing(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address="reader@example.org")
    subscriber.end(SubscriberStatus.COMPLAINED, NOW)
    assert sign_up(edition, NOW + dt.timedelta(days=400)) is None
    assert mail.outbox == []


def test_an_old_confirmation_link_does_not_resubscribe(edition: Edition) -> None:
    sign_up(edition)
    token = confirm_token()
    subscriber = subscribing.confirm(token, NOW)
    subscribing.unsubscribe(letter_token(subscriber), NOW)
    with pytest.raises(ExpiredLink):
        subscribing.confirm(token, NOW)


def test_a_token_of_another_kind_neither_confirms_nor_unsubscribes(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition)
    with pytest.raises(InvalidToken):
        subscribing.confirm(letter_token(subscriber), NOW)
    with pytest.raises(InvalidToken):
        subscribing.unsubscribe(tokens.make_token(TokenKind.RETURN_PATH, subscriber.pk, 1), NOW)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "reader",
        "@example.org",
        "reader@",
        "reader@exa mple.org",
        "reader@example.org\r\nBcc: x@example.org",
        "чытач@example.org",
        "a" * 250 + "@example.org",
        '"quoted"@example.org',
    ],
)
def test_what_is_no_address_is_refused(edition: Edition, typed: str) -> None:
    with pytest.raises(InvalidAddress):
        subscribing.sign_up(typed, edition, "be", NOW)
    assert not SignUp.objects.exists()


def test_an_international_domain_is_an_address(edition: Edition) -> None:
    sign_up(edition, address="reader@пошта.example")
    assert mail.outbox[0].to == ["reader@xn--80a1acn3a.example"]


def test_a_bounce_of_a_forgotten_subscriber_does_nothing(
    edition: Edition,
) -> None:
    subscriber = make_subscriber(edition=edition)
    held_by_a_lane = Subscriber.objects.get(pk=subscriber.pk)
    subscriber.forget(NOW)
    assert not held_by_a_lane.end(SubscriberStatus.BOUNCED, NOW)
    assert not Suppression.objects.exists()
