"""Lanes against a real SMTP server, and what becomes of the ledger."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest import mock

import pytest
from pytest_django.fixtures import Settings

from articles.editorial import workflow
from articles.models import Digest
from core.states import InvalidTransition
from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter.campaigns import approval, lifecycle
from newsletter.delivery import batch, ledger, worker
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Reply
from newsletter.delivery.smtp import connecting
from newsletter.delivery.smtp.client import RelayRefuses
from newsletter.models import (
    Delivery,
    DeliveryReason,
    DeliveryStatus,
    Lane,
    Mailing,
    MailingStatus,
    Subscriber,
    SubscriberStatus,
    Variant,
)
from tests.factories import (
    A_RELAY,
    MONDAY_MORNING,
    make_edition,
    make_mailing,
    make_subscriber,
    make_user,
)
from tests.newsletter.relays import ScriptedRelay, after, hang_up, once, to

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING


def clock(minutes: float = 0) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


def launched(readers: int = 3) -> Mailing:
    mailing = make_mailing(readers=readers)
    assert lifecycle.launch(mailing, NOW) == readers
    return mailing


def send(mailing: Mailing, minutes: float = 0) -> Mailing:
    run_lane(mailing.pk, 0, lambda: clock(minutes))
    mailing.refresh_from_db()
    assert lifecycle.ledger(mailing).balances
    return mailing


def addresses() -> set[str]:
    keys = sealing.worker_keys()
    return {row.address(keys) for row in Subscriber.objects.active()}


def address_of_one() -> str:
    return sorted(addresses())[0]


def test_every_reader_gets_one_letter_and_the_mailing_is_sent(relay: Catcher) -> None:
    mailing = send(launched(3))
    assert mailing.status == MailingStatus.SENT
    assert lifecycle.ledger(mailing).sent == 3
    assert {letter.recipients for letter in relay.letters} == {(a,) for a in addresses()}
    assert not Lane.objects.exists()


def test_launching_or_sending_twice_sends_nothing_again(relay: Catcher) -> None:
    mailing = send(launched(3))
    with pytest.raises(InvalidTransition):
        lifecycle.launch(mailing, NOW)
    send(mailing)
    assert len(relay.letters) == 3


def test_who_moved_to_another_edition_gets_the_digest_once() -> None:
    mailing = launched(1)
    other = make_edition(code="be-ru")
    Subscriber.objects.update(edition=other)
    second = Mailing.objects.create(
        digest=mailing.digest, edition=other, due_at=NOW, approved_at=NOW
    )
    Variant.objects.create(mailing=second, kind="full", subject="Week", content=b"letter")
    assert lifecycle.launch(second, NOW) == 0
    assert lifecycle.ledger(second).audience == 0


def test_who_left_after_the_launch_is_excluded(relay: Catcher) -> None:
    mailing = launched(3)
    Subscriber.objects.first().end(SubscriberStatus.UNSUBSCRIBED, NOW)
    send(mailing)
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.excluded) == (2, 1)
    assert len(relay.letters) == 2


def test_who_leaves_between_claim_and_sending_gets_nothing(relay: Catcher) -> None:
    mailing = launched(2)
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, second = ledger.claim(lane, A_RELAY, NOW, 10).letters
    Subscriber.objects.get(pk=first.subscriber).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    assert not batch.commit(lane, [], [first.pk], "relay", NOW)
    assert batch.commit(lane, [], [second.pk], "relay", NOW)


def test_a_relay_that_asks_to_wait_is_asked_again_later(relay: Catcher) -> None:
    mailing = launched(2)
    ScriptedRelay.replies["RCPT"] = once(lambda _server, _about: "451 4.7.1 Greylisted")
    send(mailing)
    assert mailing.status == MailingStatus.SENDING
    assert lifecycle.ledger(mailing).still_to_send == 1
    send(mailing, minutes=4)
    assert len(relay.letters) == 1
    send(mailing, minutes=6)
    assert mailing.status == MailingStatus.SENT
    assert len(relay.letters) == 2


def test_after_two_days_of_waiting_the_letter_fails_and_the_reader_stays(relay: Catcher) -> None:
    mailing = launched(1)
    ScriptedRelay.replies["RCPT"] = after(0, "450 4.2.1 Later")
    send(mailing, minutes=3 * 24 * 60)
    assert lifecycle.ledger(mailing).still_to_send == 1, (
        "the days before its first try do not count"
    )
    send(mailing, minutes=5 * 24 * 60)
    assert lifecycle.ledger(mailing).failed == 1
    assert Subscriber.objects.active().count() == 1
    assert mailing.status == MailingStatus.SENT


def test_three_mailings_in_a_row_that_the_relay_gave_up_bounce_the_reader(
    relay: Catcher,
) -> None:
    mailing = launched(1)
    delivery = Delivery.objects.get()
    before = {field.attname: getattr(delivery, field.attname) for field in delivery._meta.fields}
    for weeks in (2, 1):
        at = NOW - dt.timedelta(weeks=weeks)
        digest = Digest.objects.create(week=mailing.digest.week.previous(weeks))
        gave_up = {"status": DeliveryStatus.FAILED, "reason": DeliveryReason.TOO_OFTEN}
        Delivery.objects.create(
            **{**before, **gave_up, "id": None, "digest_id": digest.pk, "handed_over_at": at}
        )
    Subscriber.objects.update(signed_up_at=NOW - dt.timedelta(weeks=3))
    ScriptedRelay.replies["RCPT"] = after(0, "450 4.2.2 Full")
    send(mailing, minutes=1)
    assert Subscriber.objects.active().count() == 1
    send(mailing, minutes=2 * 24 * 60 + 1)
    assert Subscriber.objects.get().status == SubscriberStatus.BOUNCED


def test_a_refused_letter_ends_no_reader_whatever_code_is_given(relay: Catcher) -> None:
    mailing = launched(2)
    ScriptedRelay.replies["DATA"] = after(0, "550 5.1.1 says the wrong thing at the wrong time")
    send(mailing)
    assert mailing.status == MailingStatus.PAUSED
    assert Subscriber.objects.active().count() == 2


def test_a_mailbox_that_is_gone_bounces_its_reader(relay: Catcher) -> None:
    mailing = launched(2)
    ScriptedRelay.replies["RCPT"] = to(address_of_one(), "550 5.1.1 No such user")
    send(mailing)
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.failed) == (1, 1)
    gone = Subscriber.objects.get(status=SubscriberStatus.BOUNCED)
    assert not gone.sealed_address
    failed = Delivery.objects.get(status=DeliveryStatus.FAILED)
    assert (failed.reason, failed.reply_code, failed.enhanced_code) == (
        DeliveryReason.GONE,
        550,
        "5.1.1",
    )


def test_a_bare_550_fails_the_letter_and_keeps_the_reader(relay: Catcher) -> None:
    mailing = launched(1)
    ScriptedRelay.replies["RCPT"] = after(0, "550 Rejected")
    send(mailing)
    assert lifecycle.ledger(mailing).failed == 1
    assert Subscriber.objects.active().count() == 1


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("MAIL", "550 5.7.1 Sender rejected"),
        ("RCPT", "554 5.7.1 Blocked by a list"),
        ("RCPT", "530 5.7.0 Authentication required"),
        ("DATA", "552 5.3.4 Message too big"),
        ("DATA", "554 5.6.0 Refused content"),
    ],
)
def test_a_relay_that_refuses_us_pauses_the_mailing_and_marks_no_reader(
    relay: Catcher, settings: Settings, command: str, reply: str
) -> None:
    settings.CONNECTIONS = 1
    mailing = launched(3)
    ScriptedRelay.replies[command] = after(1, reply)
    send(mailing)
    assert mailing.status == MailingStatus.PAUSED
    assert reply.split()[1] in mailing.pause_reason
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.still_to_send, counts.failed) == (1, 2, 0)
    assert Subscriber.objects.active().count() == 3
    ScriptedRelay.replies.clear()
    mailing.resume()
    assert send(mailing, minutes=1).status == MailingStatus.SENT
    assert len(relay.letters) == 3


def test_what_was_withdrawn_in_the_middle_cannot_be_resumed_but_a_correction_can(
    relay: Catcher,
) -> None:
    mailing = launched(2)
    [content] = mailing.contents.all()
    mailing.pause("“The budget” was corrected.")
    assert lifecycle.resume(mailing, NOW)
    workflow.withdraw_language(content.article, content.language, NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.PAUSED
    with pytest.raises(InvalidTransition, match="The budget en” in it was withdrawn"):
        lifecycle.resume(mailing, NOW)
    assert send(mailing).status == MailingStatus.PAUSED
    assert relay.letters == []


def test_a_relay_that_refuses_at_the_door_pauses_the_mailing(
    relay: Catcher, settings: Settings
) -> None:
    mailing = launched(1)
    settings.RELAYS = (Relay.parse(f"smtp://user:wrong@127.0.0.1:{relay.smtp_port}"),)
    send(mailing)
    # The catcher offers no AUTH at all, so this relay cannot be used; nothing goes in clear.
    assert mailing.status == MailingStatus.PAUSED
    assert lifecycle.ledger(mailing).still_to_send == 1
    assert relay.letters == []


def test_a_relay_that_cannot_be_reached_costs_nothing_but_time(
    relay: Catcher, settings: Settings
) -> None:
    mailing = launched(2)
    alive = settings.RELAYS
    settings.RELAYS = (Relay.parse("smtp://127.0.0.1:1"),)
    send(mailing)
    assert mailing.status == MailingStatus.SENDING
    assert lifecycle.ledger(mailing).still_to_send == 2
    settings.RELAYS = alive
    assert send(mailing, minutes=1).status == MailingStatus.SENT


def test_a_connection_lost_before_the_dot_leaves_nobody_uncertain(relay: Catcher) -> None:
    mailing = launched(2)
    ScriptedRelay.replies["RCPT"] = once(hang_up)
    send(mailing)
    assert lifecycle.ledger(mailing).uncertain == 0
    assert send(mailing, minutes=1).status == MailingStatus.SENT
    assert len(relay.letters) == 2


def test_a_connection_lost_after_the_dot_leaves_one_uncertain_named_by_its_row(
    relay: Catcher, settings: Settings
) -> None:
    settings.CONNECTIONS = 1
    mailing = launched(3)
    ScriptedRelay.replies["KEPT"] = once(hang_up)
    send(mailing)
    counts = lifecycle.ledger(mailing)
    assert (counts.uncertain, counts.still_to_send) == (1, 2)
    [uncertain] = Delivery.objects.uncertain()
    assert uncertain.subscriber is not None
    assert send(mailing, minutes=1).status == MailingStatus.SENT
    # It is not sent again by itself: each subscriber has one letter.
    assert len(relay.letters) == 3
    assert lifecycle.ledger(mailing).uncertain == 1


def test_of_several_connections_one_may_break_and_the_others_go_on(
    relay: Catcher, settings: Settings
) -> None:
    settings.CONNECTIONS = 3
    mailing = launched(9)
    ScriptedRelay.replies["KEPT"] = once(hang_up)
    send(mailing)
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.uncertain) == (8, 1)
    assert counts.balances


def test_a_round_carries_a_letter_on_each_connection(relay: Catcher, settings: Settings) -> None:
    settings.CONNECTIONS = 3
    mailing = launched(7)
    marked: list[int] = []
    real = batch.commit

    def noted(lane: Lane, settled: list[Any], ids: list[int], *more: Any) -> dict[int, int]:
        marked.append(len(ids))
        return real(lane, settled, ids, *more)

    patient = mock.patch.object(worker, "BATCH_WAIT_SECONDS", 60)
    with mock.patch.object(batch, "commit", noted), patient:
        assert send(mailing).status == MailingStatus.SENT
    assert sum(marked) == 7
    assert len(marked) < 7, "fewer commits than letters"
    assert len(relay.letters) == 7


def test_a_relay_that_takes_fewer_connections_is_used_with_those(
    relay: Catcher, settings: Settings
) -> None:
    settings.CONNECTIONS = 4
    mailing = launched(6)
    real, opened = connecting.Connection, []

    def two_and_no_more(*about: Any) -> Any:
        if len(opened) >= 2:
            raise RelayRefuses(Reply(554, "5.7.0"))
        opened.append(1)
        return real(*about)

    with mock.patch.object(connecting, "Connection", two_and_no_more):
        assert send(mailing).status == MailingStatus.SENT
    assert len(relay.letters) == 6


def test_a_refusal_in_a_round_pauses_and_what_the_others_were_told_counts(
    relay: Catcher, settings: Settings
) -> None:
    settings.CONNECTIONS = 3
    mailing = launched(6)
    ScriptedRelay.replies["KEPT"] = after(1, "554 5.7.1 enough of you")
    assert send(mailing).status == MailingStatus.PAUSED
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.failed, counts.uncertain) == (1, 0, 0)
    assert counts.balances
    assert Subscriber.objects.active().count() == 6


def test_pausing_in_the_middle_stops_before_the_next_letter(relay: Catcher) -> None:
    mailing = launched(3)
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, second, _third = ledger.claim(lane, A_RELAY, NOW, 10).letters
    assert batch.commit(lane, [], [first.pk], "relay", NOW)
    mailing.pause("A person paused it.")
    assert not batch.commit(lane, [], [second.pk], "relay", NOW)
    ledger.close_lane(lane, NOW)
    counts = lifecycle.ledger(mailing)
    assert (counts.uncertain, counts.still_to_send) == (1, 2), "the first had no answer"


def test_cancelling_excludes_what_has_not_gone_and_frees_the_edition(relay: Catcher) -> None:
    mailing = launched(2)
    lifecycle.cancel(mailing, NOW)
    counts = lifecycle.ledger(mailing)
    assert (counts.excluded, counts.audience) == (2, 2)
    run_lane(mailing.pk, 0, clock)
    assert relay.letters == []


def test_the_rest_of_a_cancelled_mailing_gets_the_digest_anew_and_nobody_gets_two(
    relay: Catcher, settings: Settings
) -> None:
    """What an editor does after a withdrawal: the letters not handed over are made again."""
    settings.CONNECTIONS = 1
    mailing = launched(3)
    ScriptedRelay.replies["MAIL"] = after(1, "550 5.7.1 we do not know you")
    assert send(mailing).status == MailingStatus.PAUSED
    assert len(relay.letters) == 1
    ScriptedRelay.replies.clear()
    lifecycle.cancel(mailing, NOW)
    lifecycle.reopen(mailing.digest, NOW)
    [anew] = approval.approve(mailing.digest, make_user(), NOW)
    assert lifecycle.launch(anew, NOW) == 2
    send(anew)
    assert anew.status == MailingStatus.SENT
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)) == 3


def test_a_second_lane_on_the_same_slot_does_nothing(relay: Catcher) -> None:
    mailing = launched(1)
    assert ledger.open_lane(mailing, 0, NOW) is not None
    run_lane(mailing.pk, 0, clock)
    assert relay.letters == []


def test_a_dead_lane_is_settled_by_the_sweep() -> None:
    mailing = launched(3)
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, *_rest = ledger.claim(lane, A_RELAY, NOW, 10).letters
    assert batch.commit(lane, [], [first.pk], "relay", NOW)
    assert ledger.reap_expired(NOW + ledger.lease_duration() / 2) == (0, 0)
    later = NOW + ledger.lease_duration() * 2
    assert ledger.reap_expired(later) == (2, 1)
    counts = lifecycle.ledger(mailing)
    assert (counts.uncertain, counts.still_to_send) == (1, 2)
    assert counts.balances


def test_a_lane_that_was_only_asleep_cannot_send_what_was_given_back() -> None:
    mailing = launched(2)
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, second = ledger.claim(lane, A_RELAY, NOW, 10).letters
    assert batch.commit(lane, [], [first.pk], "relay", NOW)
    later = NOW + ledger.lease_duration() * 2
    ledger.reap_expired(later)
    assert not batch.commit(lane, [], [second.pk], "relay", later)
    # But the answer that it had waited for still settles the uncertain one.
    settled = ledger.DeliveryResult(first, DeliveryStatus.SENT, DeliveryReason.NONE)
    assert ledger.record_result(settled, lane, "relay", later)
    assert lifecycle.ledger(mailing).sent == 1


def test_a_sealed_address_that_cannot_be_opened_fails_alone(relay: Catcher) -> None:
    mailing = launched(2)
    Subscriber.objects.filter(pk=Subscriber.objects.first().pk).update(
        sealed_address=b"rubbish that nobody sealed with our key"
    )
    send(mailing)
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.failed) == (1, 1)
    assert Delivery.objects.get(status=DeliveryStatus.FAILED).reason == DeliveryReason.UNSENDABLE


def test_withdrawing_an_article_pauses_what_carries_it(relay: Catcher) -> None:
    mailing = launched(2)
    [article] = mailing.digest.ordered_articles()
    workflow.withdraw(article, NOW)
    send(mailing)
    assert mailing.status == MailingStatus.PAUSED
    assert relay.letters == []


def test_a_relay_without_8bitmime_gets_quoted_printable(relay: Catcher) -> None:
    edition = make_edition(code="be-ru")
    make_subscriber(edition=edition, address="reader@example.org")
    mailing = make_mailing(readers=0)
    lifecycle.cancel(mailing, NOW)
    lifecycle.reopen(mailing.digest, NOW)
    article = mailing.digest.articles.get()
    workflow.publish(article, "be", NOW)
    [be_ru] = [m for m in approval.approve(mailing.digest, None, NOW) if m.edition == edition]
    lifecycle.launch(be_ru, NOW)
    with mock.patch("smtplib.SMTP.has_extn", return_value=False):
        run_lane(be_ru.pk, 0, clock)
    [letter] = relay.letters
    assert letter.raw.isascii()
    text = letter.message.get_body(("plain",)).get_content()
    assert "Бюджэт расце." in text
    assert "01token" not in letter.raw.decode()
