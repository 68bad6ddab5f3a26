"""Letters that were under way when somebody stopped their mailing: what an answer still means."""

from __future__ import annotations

import datetime as dt
from unittest import mock

import pytest
from django.db import OperationalError

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.models import Article
from demo.mail_catcher.catcher import Catcher
from keys.sealing import worker_keys
from newsletter.campaigns import approval, latest_issue, lifecycle, signing
from newsletter.delivery import batch, ledger
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.models import Delivery, DeliveryReason, DeliveryStatus, Lane, Mailing, MailingStatus
from tests.factories import (
    A_RELAY,
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_mailing,
    make_subscriber,
    make_topic,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
LATER = NOW + dt.timedelta(minutes=6)
RELAY = "smtp://relay.example:25"
BUSY, REFUSED = Reply(451, "4.3.2"), Reply(554, "5.7.1")


def handed_over(mailing: Mailing) -> tuple[Lane, ClaimedDelivery]:
    """A lane with all letters, one of which has left."""
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, *_rest = ledger.claim(lane, A_RELAY, NOW, 10).letters
    assert batch.commit(lane, [], [first.pk], RELAY, NOW)
    return lane, first


def answer(lane: Lane, letter: ClaimedDelivery, outcome: Outcome, reply: Reply) -> None:
    batch.commit(lane, [ledger.result_of_reply(letter, outcome, reply, NOW)], [], RELAY, NOW)
    ledger.close_lane(lane, NOW)


def two_articles() -> tuple[Mailing, Article]:
    """A mailing to two subscribers that shows two articles, and the first of these."""
    edition = make_edition()
    for _ in range(2):
        make_subscriber(edition=edition)
    first = make_article(title="First", topic=make_topic(code="elite"))
    make_article(title="Second", topic=make_topic(code="west", position=2))
    [mailing] = approval.approve(build_digest(WEEK), make_user(), NOW)
    lifecycle.launch(mailing, NOW)
    return mailing, first


@pytest.mark.parametrize(
    ("outcome", "reply"), [(Outcome.LATER, BUSY), (Outcome.REFUSED, REFUSED)], ids=str
)
def test_a_letter_not_taken_after_its_mailing_was_cancelled_is_excluded(
    outcome: Outcome, reply: Reply
) -> None:
    mailing = make_mailing(readers=2)
    lifecycle.launch(mailing, NOW)
    lane, letter = handed_over(mailing)
    lifecycle.cancel(mailing, NOW)
    assert lifecycle.ledger(mailing).still_to_send == 1
    answer(lane, letter, outcome, reply)
    counts = lifecycle.ledger(mailing)
    assert (counts.excluded, counts.still_to_send) == (2, 0)
    late = Delivery.objects.get(pk=letter.pk)
    assert (late.reason, late.reply_code) == (DeliveryReason.CANCELLED, reply.code)
    # Its subscriber is not passed over by the mailing that takes the cancelled one's place.
    lifecycle.reopen(mailing.digest, NOW)
    [anew] = approval.approve(mailing.digest, make_user(), NOW)
    assert lifecycle.launch(anew, NOW) == 2


def test_a_connection_that_breaks_after_the_mailing_was_cancelled_leaves_nothing_to_send() -> None:
    mailing = make_mailing(readers=2)
    lifecycle.launch(mailing, NOW)
    lane, letter = handed_over(mailing)
    lifecycle.cancel(mailing, NOW)
    batch.commit(
        lane, [ledger.result_of_lost_connection(letter, dot_sent=False, now=NOW)], [], RELAY, NOW
    )
    assert lifecycle.ledger(mailing).excluded == 2


def test_a_late_readers_letter_that_shows_what_was_withdrawn_meanwhile_is_not_tried_again() -> None:
    mailing, first = two_articles()
    signing.verified_letters(mailing, worker_keys())
    Delivery.objects.all().delete()
    Mailing.objects.update(status=MailingStatus.SENT)
    reader = make_subscriber(edition=mailing.edition)
    latest = latest_issue.queue_welcome(reader, NOW)
    assert latest is not None
    lane, letter = handed_over(mailing)
    workflow.withdraw(first, NOW)
    answer(lane, letter, Outcome.LATER, BUSY)
    latest.refresh_from_db()
    assert (latest.status, latest.reason) == (DeliveryStatus.EXCLUDED, DeliveryReason.CANCELLED)


def test_a_letter_taken_after_its_mailing_was_cancelled_is_sent() -> None:
    mailing = make_mailing(readers=2)
    lifecycle.launch(mailing, NOW)
    lane, letter = handed_over(mailing)
    lifecycle.cancel(mailing, NOW)
    answer(lane, letter, Outcome.SENT, Reply(250))
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.excluded) == (1, 1)


def test_a_letter_that_comes_back_after_its_mailing_was_frozen_anew_goes_in_the_new_revision(
    relay: Catcher,
) -> None:
    mailing, first = two_articles()
    lane, letter = handed_over(mailing)
    workflow.withdraw(first, NOW)
    mailing.refresh_from_db()
    assert approval.freeze_new_revision(mailing, make_user(), NOW) == 1
    answer(lane, letter, Outcome.LATER, BUSY)
    lifecycle.resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: LATER)
    assert len(relay.letters) == 2
    assert not any("First en" in letter.contents.text for letter in relay.letters)


def test_the_uncertain_are_sent_the_newest_revision(relay: Catcher) -> None:
    mailing, first = two_articles()
    lane, letter = handed_over(mailing)
    batch.commit(
        lane, [ledger.result_of_lost_connection(letter, dot_sent=True, now=NOW)], [], RELAY, NOW
    )
    ledger.close_lane(lane, NOW)
    workflow.withdraw(first, NOW)
    mailing.refresh_from_db()
    approval.freeze_new_revision(mailing, make_user(), NOW)
    lifecycle.resume(mailing, NOW)
    assert lifecycle.resend_uncertain(mailing, NOW) == 1
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    assert len(relay.letters) == 2
    assert not any("First en" in letter.contents.text for letter in relay.letters)


def test_a_lane_that_could_not_write_down_its_answers_leaves_them_uncertain_not_under_way(
    relay: Catcher,
) -> None:
    """The database refuses while letters are out, and takes the lane's end."""
    mailing = make_mailing(readers=3)
    lifecycle.launch(mailing, NOW)
    real = batch.commit

    def once_then_refuse(*about: object) -> dict[int, int]:
        if commit.call_count > 1:
            raise OperationalError("database is locked")
        return real(*about)

    with (
        mock.patch.object(batch, "commit", side_effect=once_then_refuse) as commit,
        pytest.raises(OperationalError),
    ):
        run_lane(mailing.pk, 0, lambda: NOW)
    assert not Delivery.objects.filter(status=DeliveryStatus.HANDED_OVER).exists()
    counts = lifecycle.ledger(mailing)
    assert counts.uncertain == len(relay.letters) > 0
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)) == 3
