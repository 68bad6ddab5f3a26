"""Single mails leave by the letters' way: relays, limits, reply classifier and return path."""

from __future__ import annotations

import datetime as dt
import email
import email.header
import re
from email import policy
from email.parser import BytesParser
from functools import partial

import pytest
from anymail.exceptions import AnymailRecipientsRefused
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter.bounces.apply import apply_mail
from newsletter.delivery import transactional
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.transactional import send_due
from newsletter.models import (
    Edition,
    MailKind,
    OutboxMail,
    RelayState,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.models.outbox import LEASE_DURATION
from newsletter.subscribers import sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber
from tests.newsletter import transactional_mails
from tests.newsletter.bad_relays import BadRelay, CorrectRelay, running
from tests.newsletter.bounces.mails import FORMS, written
from tests.newsletter.relays import ScriptedRelay, to

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
HARD = next(form for form, (kind, _text) in FORMS.items() if kind == "hard")
COMPLAINT = next(form for form, (kind, _text) in FORMS.items() if kind == "complaint")


def clock() -> dt.datetime:
    return NOW


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru")


def signed_up(edition: Edition, *names: str) -> list[Subscriber]:
    found = []
    for name in names:
        row = sign_up.sign_up(f"{name}@example.org", edition, "be", NOW)
        found.append(Subscriber.objects.get(pk=sign_up.process_sign_up(row.pk, NOW)))
    return found


def welcomed(name: str, edition: Edition) -> Subscriber:
    subscriber = make_subscriber(edition=edition, address=f"{name}@example.org")
    transactional_mails.put(subscriber.pk, NOW, MailKind.WELCOME)
    return subscriber


class HangsUpAfterEach(CorrectRelay):
    """Takes one mail and closes, as some relays do after so many."""

    def handle_letter(self, number: int) -> None:
        super().handle_letter(number)
        self.request.close()


class TakesSevenBits(CorrectRelay):
    offers = ("PIPELINING",)


class RefusesMailboxes(BaseEmailBackend):
    """A provider that knows no such mailbox."""

    def send_messages(self, email_messages: object) -> int:
        raise AnymailRecipientsRefused


def test_all_that_are_due_leave_by_one_connection(edition: Edition, settings: Settings) -> None:
    signed_up(edition, "a", "b", "c")
    with running(BadRelay(CorrectRelay)) as server:
        settings.RELAYS = (server.relay(),)
        assert not send_due(clock)
    assert sorted(server.accepted) == [f"{name}@example.org" for name in "abc"]
    assert next(server.connections) == 2, "there was one"
    assert not OutboxMail.objects.exists()
    assert set(Subscriber.objects.values_list("confirmation_sent_at", flat=True)) == {NOW}


def test_a_batch_says_that_there_may_be_more(edition: Edition) -> None:
    signed_up(edition, "a", "b", "c")
    assert send_due(clock, most=2)
    assert not send_due(clock, most=2)


def test_a_relay_that_closes_after_each_mail_gets_the_next_on_a_new_connection(
    edition: Edition, settings: Settings
) -> None:
    signed_up(edition, "a", "b", "c")
    with running(BadRelay(HangsUpAfterEach)) as server:
        settings.RELAYS = (server.relay(),)
        send_due(clock)
    assert len(server.accepted) == 3
    assert not RelayState.objects.get().failures


def test_where_the_first_relay_is_down_the_second_takes_them(
    edition: Edition, relay: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (Relay.parse("smtp://127.0.0.1:1"), *settings.RELAYS)
    signed_up(edition, "a")
    send_due(clock)
    assert len(relay.letters) == 1
    assert RelayState.objects.get(name="127.0.0.1:1").failures == 1


def test_while_no_relay_can_be_reached_one_mail_asks_and_the_rest_wait(
    edition: Edition, settings: Settings
) -> None:
    settings.RELAYS = (Relay.parse("smtp://127.0.0.1:1"),)
    signed_up(edition, "a", "b", "c")
    assert not send_due(clock)
    assert OutboxMail.objects.due(NOW).count() == 2
    assert RelayState.objects.get().failures == 1
    later = NOW + transactional.RECONNECT_DELAY
    assert OutboxMail.objects.due(later).count() == 3


def test_one_refused_mailbox_stops_nobody_else(edition: Edition, relay: Catcher) -> None:
    ScriptedRelay.replies["RCPT"] = to("b@example.org", "554 5.7.1 not by our rules")
    signed_up(edition, "a", "b", "c")
    send_due(clock)
    assert {one.envelope.recipients[0] for one in relay.letters} == {
        "a@example.org",
        "c@example.org",
    }
    [waits] = OutboxMail.objects.all()
    assert (waits.attempts, waits.deferred_since) == (1, NOW)
    assert not RelayState.objects.get().failures


def test_what_is_put_off_waits_ever_longer_and_is_given_up_after_two_days(
    edition: Edition, relay: Catcher
) -> None:
    ScriptedRelay.replies["RCPT"] = to("a@example.org", "451 4.7.1 later")
    signed_up(edition, "a")
    waits, moment = [], NOW
    while waiting := OutboxMail.objects.first():
        waits.append(waiting.due_at - moment)
        moment = waiting.due_at
        send_due(partial(dt.datetime.fromtimestamp, moment.timestamp(), dt.UTC))
    assert waits[:4] == [dt.timedelta(minutes=minutes) for minutes in (0, 5, 10, 20)]
    assert max(waits) == dt.timedelta(hours=4)
    assert dt.timedelta(days=2) <= moment - NOW < dt.timedelta(days=2, hours=4)


def test_a_worker_that_dies_meanwhile_leaves_the_mail_to_the_next(edition: Edition) -> None:
    signed_up(edition, "a")
    [waiting] = OutboxMail.objects.all()
    assert waiting.claim(NOW)
    [same] = OutboxMail.objects.all()
    assert not OutboxMail.objects.due(NOW).exists()
    assert same.claim(NOW + LEASE_DURATION)
    assert not waiting.remove(), "the first of them has lost it"
    assert same.remove()


def test_two_workers_send_a_mail_once(edition: Edition, relay: Catcher) -> None:
    signed_up(edition, "a")
    [mine] = OutboxMail.objects.all()
    [theirs] = OutboxMail.objects.all()
    assert mine.claim(NOW)
    assert not theirs.claim(NOW)


def test_a_provider_that_knows_no_such_mailbox_is_asked_once(
    edition: Edition, settings: Settings
) -> None:
    settings.RELAYS = (Relay.parse(f"backend:{__name__}.RefusesMailboxes"),)
    signed_up(edition, "a")
    send_due(clock)
    assert not OutboxMail.objects.exists()


def test_a_mailbox_that_is_gone_ends_who_is_on_the_list(edition: Edition, relay: Catcher) -> None:
    ScriptedRelay.replies["RCPT"] = lambda _server, _about: "550 5.1.1 unknown"
    subscriber = welcomed("reader", edition)
    send_due(clock)
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.BOUNCED
    assert Suppression.objects.count() == 1


def test_a_relay_without_8bitmime_gets_quoted_printable(
    edition: Edition, settings: Settings
) -> None:
    signed_up(edition, "a")
    with running(BadRelay(TakesSevenBits)) as server:
        settings.RELAYS = (server.relay(),)
        send_due(clock)
    [raw] = server.texts
    assert raw.isascii()
    text = BytesParser(policy=policy.default).parsebytes(raw).get_body(("plain",))
    assert text is not None
    assert "/be/confirm/" in text.get_content()
    assert re.search("[а-яў]", text.get_content())


def test_a_single_mail_has_a_letters_headers(edition: Edition, relay: Catcher) -> None:
    edition.sender_name = "Доўгі выгляд з вельмі доўгай назвай, якая не змяшчаецца ў радок"
    edition.save()
    signed_up(edition, "a")
    send_due(clock)
    [letter] = relay.letters
    headers = BytesParser(policy=policy.default).parsebytes(letter.raw)
    assert str(headers["Message-ID"]).endswith(f"@{edition.sender_address.partition('@')[2]}>")
    [name, *_address] = email.header.decode_header(email.message_from_bytes(letter.raw)["From"])
    assert name[0].decode(name[1]) == edition.sender_name
    assert headers["Auto-Submitted"] == "auto-generated"
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^?]+\?.\?[^?]*\?=", letter.raw))
    assert all(len(line) <= 998 for line in letter.raw.splitlines())
    assert re.fullmatch(r"b-[a-z2-7]+@.+", letter.envelope.sender)


def test_an_address_that_no_header_can_hold_is_named_in_no_log(
    edition: Edition, caplog: pytest.LogCaptureFixture
) -> None:
    subscriber = welcomed("reader", edition)
    keys = sealing.worker_keys()
    subscriber.sealed_address = keys.seal_address(
        "a@example.org>\r\nBcc: b@example.org", subscriber.pk
    )
    subscriber.save()
    send_due(clock)
    assert mail.outbox == []
    assert "cannot be written" in caplog.text
    assert "example.org" not in caplog.text
    assert OutboxMail.objects.get().attempts == 1


# --- Bounces -------------------------------------------------------------------------


def return_path(relay: Catcher) -> str:
    return relay.letters[-1].envelope.sender


def test_a_welcome_that_comes_back_ends_its_subscriber(edition: Edition, relay: Catcher) -> None:
    subscriber, other = welcomed("a", edition), make_subscriber(edition=edition)
    send_due(clock)
    assert apply_mail(written(HARD, to=return_path(relay)), NOW) == "hard"
    subscriber.refresh_from_db()
    other.refresh_from_db()
    assert (subscriber.status, other.status) == ("bounced", "active")


def test_a_bounce_of_a_mail_from_before_a_return_ends_nobody(
    edition: Edition, relay: Catcher
) -> None:
    subscriber = welcomed("a", edition)
    send_due(clock)
    later = NOW + dt.timedelta(days=40)
    Subscriber.objects.update(signed_up_at=later, confirmed_at=later)
    apply_mail(written(HARD, to=return_path(relay)), later)
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.ACTIVE


def test_a_confirmation_that_comes_back_suppresses_nobody_and_a_complaint_does(
    edition: Edition, relay: Catcher
) -> None:
    [subscriber] = signed_up(edition, "a")
    send_due(clock)
    apply_mail(written(HARD, to=return_path(relay)), NOW)
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.PENDING
    apply_mail(written(COMPLAINT, to=return_path(relay)), NOW)
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.COMPLAINED
    assert not OutboxMail.objects.exists()


# --- Whoever changes their mind meanwhile --------------------------------------------


def test_who_leaves_or_is_forgotten_gets_none_of_the_mails_that_waited(edition: Edition) -> None:
    left, forgotten = welcomed("a", edition), welcomed("b", edition)
    left.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    forgotten.forget(NOW)
    assert not OutboxMail.objects.exists()


def test_who_turns_discreet_before_a_mail_leaves_gets_a_discreet_one(
    edition: Edition, relay: Catcher
) -> None:
    subscriber = welcomed("a", edition)
    [waiting] = OutboxMail.objects.all()
    Subscriber.objects.filter(pk=subscriber.pk).update(variant="discreet")
    send_due(clock)
    [letter] = relay.letters
    assert letter.subject == edition.discreet_subject
    assert waiting.subscriber_id == subscriber.pk
