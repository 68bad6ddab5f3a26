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
from keys.sealing import KeyMissing
from keys.tokens import BadToken, Kind
from newsletter.campaigns import messages
from newsletter.delivery.relays.config import Relay
from newsletter.mime import Rendered
from newsletter.models import Edition, OutboxMail, SignUp, Subscriber, SubscriberStatus, Suppression
from newsletter.models.outbox import LEASE
from newsletter.subscribers import sign_up as subscribing
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.sign_up import StaleLink
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber
from tests.newsletter import single_mails
from tests.newsletter.relays import Moody, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
READER = "Reader@Example.org"


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru")


def sign_up(edition: Edition, now: dt.datetime = NOW, address: str = READER) -> Subscriber | None:
    """The form, and the worker that looks at it."""
    row = subscribing.sign_up(address, edition, "be", now)
    subscriber_id = subscribing.process_sign_up(row.pk, now)
    if subscriber_id is not None:
        single_mails.send_confirmation(subscriber_id, now)
    assert not SignUp.objects.exists()
    return Subscriber.objects.filter(pk=subscriber_id).first()


def confirm_token() -> str:
    """Out of the newest mail."""
    found = re.search(r"/be/confirm/([a-z2-7]+)/", mail.outbox[-1].body)
    assert found
    return found.group(1)


def letter_token(subscriber: Subscriber) -> str:
    return tokens.make_token(Kind.LETTER, subscriber.pk, 1)


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
    row = subscribing.sign_up(READER, edition, "be", NOW)
    settings.WORKER_KEY_FILE, kept = None, settings.WORKER_KEY_FILE
    with pytest.raises(KeyMissing):
        subscribing.process_sign_up(row.pk, NOW)
    settings.WORKER_KEY_FILE = kept
    assert subscribing.process_sign_up(row.pk, NOW) is not None


def test_a_sign_up_that_nobody_of_ours_sealed_is_dropped(edition: Edition) -> None:
    row = SignUp.objects.create(
        sealed_address=b"rubbish" * 20, edition=edition, language="be", wording=1, arrived_at=NOW
    )
    assert subscribing.process_sign_up(row.pk, NOW) is None
    assert not SignUp.objects.exists()


def test_an_active_reader_who_signs_up_again_gets_no_mail(edition: Edition) -> None:
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
    with pytest.raises(StaleLink):
        subscribing.confirm(old, NOW + dt.timedelta(days=2))
    assert subscribing.confirm(confirm_token(), NOW + dt.timedelta(days=2))


def test_a_sign_up_pressed_twice_while_its_mail_leaves_keeps_the_mails_link_good(
    edition: Edition, relay: Catcher
) -> None:
    first, second = (subscribing.sign_up(READER, edition, "be", NOW) for _ in range(2))
    SignUp.objects.filter(pk=second.pk).update(arrived_at=NOW + dt.timedelta(seconds=3))
    reader = subscribing.process_sign_up(first.pk, NOW)
    assert reader is not None
    answered = messages.single_mail

    def pressed_again(*about: Any) -> Rendered:
        rendered = answered(*about)
        subscribing.process_sign_up(second.pk, NOW)
        return rendered

    with mock.patch.object(messages, "single_mail", pressed_again):
        assert single_mails.send_confirmation(reader, NOW)
    assert not single_mails.send_confirmation(reader, NOW + LEASE)
    [letter] = relay.letters
    found = re.search(r"/be/confirm/([a-z2-7]+)/", letter.contents.text)
    assert found
    assert subscribing.confirm(found.group(1), NOW).status == SubscriberStatus.ACTIVE


def test_a_confirmation_that_the_relay_did_not_take_is_sent_later(
    edition: Edition, settings: Settings
) -> None:
    works = settings.RELAYS
    settings.RELAYS = (Relay.parse("smtp://127.0.0.1:1"),)
    row = subscribing.sign_up(READER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    assert not single_mails.send_confirmation(subscriber_id, NOW)
    settings.RELAYS = works
    assert not single_mails.send_confirmation(subscriber_id, NOW)
    later = NOW + LEASE
    assert single_mails.send_confirmation(subscriber_id, later)
    assert not single_mails.send_confirmation(subscriber_id, later + dt.timedelta(days=1))


def test_a_mailbox_that_does_not_exist_is_asked_once(edition: Edition, relay: Catcher) -> None:
    Moody.moods["RCPT"] = after(0, "550 5.1.1 unknown")
    row = subscribing.sign_up(READER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    assert not single_mails.send_confirmation(subscriber_id, NOW)
    assert not OutboxMail.objects.exists()


def test_a_relay_that_is_away_for_two_days_is_not_asked_for_ever(
    edition: Edition, relay: Catcher
) -> None:
    Moody.moods["RCPT"] = after(0, "451 4.7.1 later")
    row = subscribing.sign_up(READER, edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    for days, waits in ((0, True), (1, True), (2, False)):
        assert not single_mails.send_confirmation(subscriber_id, NOW + dt.timedelta(days=days))
        assert OutboxMail.objects.exists() is waits


def test_leaving_erases_the_address_and_keeps_only_its_hash(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address="reader@example.org")
    assert subscribing.leave(letter_token(reader), NOW)
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.LEFT
    assert reader.sealed_address == b""
    kept = Suppression.objects.get()
    assert bytes(kept.address_hash) == sealing.worker_keys().hash_address("reader@example.org", 1)
    assert not subscribing.leave(letter_token(reader), NOW)


def test_leaving_needs_no_key(edition: Edition, settings: Settings) -> None:
    reader = make_subscriber(edition=edition)
    settings.WORKER_KEY_FILE = None
    assert subscribing.leave(letter_token(reader), NOW)


def test_who_left_may_come_back_by_confirming(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address="reader@example.org")
    subscribing.leave(letter_token(reader), NOW)
    sign_up(edition)
    assert Suppression.objects.exists()
    subscribing.confirm(confirm_token(), NOW)
    assert not Suppression.objects.exists()
    # And a letter from before still lets them leave.
    assert subscribing.leave(letter_token(reader), NOW)


def test_who_bounced_may_come_back_after_thirty_days(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address="reader@example.org")
    reader.end(SubscriberStatus.BOUNCED, NOW)
    assert sign_up(edition, NOW + dt.timedelta(days=29)) is None
    assert sign_up(edition, NOW + dt.timedelta(days=30)) is not None


def test_who_complained_does_not_come_back_by_themselves(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address="reader@example.org")
    reader.end(SubscriberStatus.COMPLAINED, NOW)
    assert sign_up(edition, NOW + dt.timedelta(days=400)) is None
    assert mail.outbox == []


def test_an_old_confirmation_does_not_bring_back_who_left(edition: Edition) -> None:
    sign_up(edition)
    token = confirm_token()
    reader = subscribing.confirm(token, NOW)
    subscribing.leave(letter_token(reader), NOW)
    with pytest.raises(StaleLink):
        subscribing.confirm(token, NOW)


def test_a_token_of_another_kind_neither_confirms_nor_leaves(edition: Edition) -> None:
    reader = make_subscriber(edition=edition)
    with pytest.raises(BadToken):
        subscribing.confirm(letter_token(reader), NOW)
    with pytest.raises(BadToken):
        subscribing.leave(tokens.make_token(Kind.RETURN_PATH, reader.pk, 1), NOW)


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


def test_who_was_forgotten_while_a_letter_was_on_its_way_can_bounce_no_more(
    edition: Edition,
) -> None:
    reader = make_subscriber(edition=edition)
    held_by_a_lane = Subscriber.objects.get(pk=reader.pk)
    reader.forget(NOW)
    assert not held_by_a_lane.end(SubscriberStatus.BOUNCED, NOW)
    assert not Suppression.objects.exists()
