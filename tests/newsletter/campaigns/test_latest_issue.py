"""Who confirms between two digests."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core import mail
from django.test import Client

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article
from demo.mail_catcher.catcher import Catcher
from keys import tokens
from keys.sealing import worker_keys
from keys.tokens import TokenKind
from newsletter import schedule
from newsletter.campaigns import latest_issue, lifecycle
from newsletter.delivery.lanes import run_lane
from newsletter.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Edition,
    Mailing,
    MailingStatus,
    MailKind,
    OutboxMail,
    Subscriber,
    VariantKind,
)
from newsletter.subscribers import sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_user
from tests.html_pages import normalize_html
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
LATER = NOW + dt.timedelta(days=2)


def come(address: str = "late@example.org", now: dt.datetime = LATER, **fields: str) -> Subscriber:
    """Signs up and confirms."""
    row = sign_up.sign_up(address, Edition.objects.get(), "en", now, **fields)
    reader = sign_up.process_sign_up(row.pk, now)
    assert reader is not None
    second = Subscriber.objects.get(pk=reader).sign_up_timestamp
    return sign_up.confirm(tokens.make_token(TokenKind.CONFIRM, reader, second), now)


def lane(mailing: Mailing, now: dt.datetime = LATER) -> None:
    run_lane(mailing.pk, 0, lambda: now)


def recipients(relay: Catcher) -> list[str]:
    return [address for letter in relay.letters for address in letter.recipients]


@pytest.fixture
def sent(relay: Catcher) -> Mailing:
    """Last week's letter, which three subscribers have."""
    mailing = make_mailing(readers=3)
    lifecycle.launch(mailing, NOW)
    lane(mailing, NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    return mailing


def test_who_confirms_between_two_digests_gets_the_latest_at_once(
    sent: Mailing, relay: Catcher
) -> None:
    reader = come()
    delivery = Delivery.objects.get(subscriber=reader)
    assert (delivery.kind, delivery.mailing) == (DeliveryKind.LATEST, sent)
    assert schedule.run_due(LATER).lanes == [(sent.pk, 0), (sent.pk, 1)]
    lane(sent)
    assert len(relay.letters) == 4
    assert recipients(relay).count("late@example.org") == 1
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT
    assert schedule.run_due(LATER).lanes == []
    assert not reader.outbox.exists()


def test_the_mailings_own_ledger_stays_what_it_was(sent: Mailing) -> None:
    before = lifecycle.ledger(sent)
    come()
    lane(sent)
    assert lifecycle.ledger(sent) == before
    late = lifecycle.late_ledger(sent)
    assert (late.audience, late.sent) == (1, 1)
    assert lifecycle.summary_line(sent.digest).endswith("EN 3, failed 0")


def test_who_comes_back_does_not_get_the_same_digest_twice(sent: Mailing, relay: Catcher) -> None:
    reader = Subscriber.objects.get(deliveries__pk=Delivery.objects.order_by("pk")[0].pk)
    address = reader.address(worker_keys())
    reader.end("left", LATER)
    come(address, LATER + dt.timedelta(hours=1))
    lane(sent)
    assert recipients(relay).count(address) == 1
    assert transactional_mails.waiting(MailKind.WELCOME, LATER + dt.timedelta(hours=1)) == [
        reader.pk
    ]


def test_who_confirms_while_it_is_being_sent_gets_it_once(relay: Catcher) -> None:
    mailing = make_mailing(readers=1)
    lifecycle.launch(mailing, NOW)
    reader = come(now=NOW)
    lane(mailing, NOW)
    assert recipients(relay).count("late@example.org") == 1
    assert Delivery.objects.filter(subscriber=reader).count() == 1


def test_the_next_launch_of_the_same_digest_passes_over_who_has_it(sent: Mailing) -> None:
    come()
    lane(sent)
    again = Mailing.objects.get()
    again.pk, again.status, again.launched_at = None, MailingStatus.SCHEDULED, None
    Mailing.objects.update(status=MailingStatus.CANCELLED)
    again.save()
    for variant in sent.variants.all():
        variant.pk, variant.mailing = None, again
        variant.save()
    assert lifecycle.launch(again, LATER) == 0


def test_where_there_is_no_digest_a_short_welcome_says_when_the_first_comes(
    relay: Catcher,
) -> None:
    make_edition(name="EN")
    reader = come()
    assert transactional_mails.waiting(MailKind.WELCOME, LATER) == [reader.pk]
    assert transactional_mails.send_welcome(reader.pk, LATER)
    [letter] = relay.letters
    assert "30 November 2026, 09:00" in letter.contents.text
    assert "/en/letter/" in letter.contents.text
    assert not OutboxMail.objects.exists()


def test_the_link_of_a_welcome_leaves(client: Client, relay: Catcher) -> None:
    make_edition()
    reader = come()
    transactional_mails.send_welcome(reader.pk, LATER)
    token = tokens.make_token(TokenKind.LETTER, reader.pk, 0)
    assert token in relay.letters[0].contents.text
    client.post(f"/en/letter/{token}/")
    reader.refresh_from_db()
    assert reader.status == "left"


def test_a_letter_that_shows_a_withdrawn_text_welcomes_nobody(
    sent: Mailing, relay: Catcher
) -> None:
    waiting = come()
    workflow.withdraw_language(Article.objects.get(), "en", LATER, by=make_user())
    lane(sent)
    assert Delivery.objects.get(subscriber=waiting).status == DeliveryStatus.EXCLUDED
    late = come("later@example.org")
    assert not Delivery.objects.filter(subscriber=late).exists()
    assert len(relay.letters) == 3
    assert transactional_mails.waiting(MailKind.WELCOME, LATER) == [late.pk]


def test_a_letter_that_shows_what_was_corrected_since_welcomes_nobody(sent: Mailing) -> None:
    article = Article.objects.get()
    article.body_en = "<p>The budget shrinks.</p>"
    save_article(article, by=make_user(), now=LATER)
    late = come()
    assert not latest_issue.is_current(sent)
    assert not Delivery.objects.filter(subscriber=late).exists()


def test_a_letter_of_long_ago_is_no_greeting(sent: Mailing) -> None:
    late = come(now=LATER + dt.timedelta(weeks=latest_issue.MAX_ISSUE_AGE_WEEKS + 2))
    assert not Delivery.objects.filter(subscriber=late).exists()


def test_who_asked_for_a_discreet_letter_never_gets_the_full_one(sent: Mailing) -> None:
    late = come(variant=VariantKind.DISCREET)
    assert not Delivery.objects.filter(subscriber=late).exists()


def test_a_relay_that_refuses_us_keeps_a_late_readers_letter_for_later(
    sent: Mailing, relay: Catcher
) -> None:
    reader = come()
    ScriptedRelay.replies["MAIL"] = after(0, "550 5.7.1 not you")
    lane(sent)
    delivery = Delivery.objects.get(subscriber=reader)
    assert delivery.status == DeliveryStatus.RETRY
    assert delivery.due_at > LATER
    sent.refresh_from_db()
    assert sent.status == MailingStatus.SENT
    ScriptedRelay.replies.clear()
    lane(sent, LATER + dt.timedelta(hours=1))
    delivery.refresh_from_db()
    assert delivery.status == DeliveryStatus.SENT


def test_a_late_readers_letter_is_tried_for_two_days_of_its_own(
    sent: Mailing, relay: Catcher
) -> None:
    reader = come()
    ScriptedRelay.replies["RCPT"] = after(0, "451 4.3.0 later")
    lane(sent)
    assert Delivery.objects.get(subscriber=reader).status == DeliveryStatus.RETRY
    lane(sent, LATER + dt.timedelta(days=3))
    assert Delivery.objects.get(subscriber=reader).status == DeliveryStatus.FAILED


def test_confirming_by_the_form_hands_the_letter_to_the_lanes(
    client: Client, sent: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[int] = []
    monkeypatch.setattr("newsletter.tasks.enqueue_lanes", lambda mailing: handed.append(mailing.pk))
    row = sign_up.sign_up("late@example.org", Edition.objects.get(), "en", LATER)
    reader = sign_up.process_sign_up(row.pk, LATER)
    assert reader
    token = tokens.make_token(
        TokenKind.CONFIRM, reader, Subscriber.objects.get(pk=reader).sign_up_timestamp
    )
    monkeypatch.setattr("newsletter.public.views.timezone.now", lambda: LATER)
    client.post(f"/en/confirm/{token}/")
    assert handed == [sent.pk]
    assert not mail.outbox


def test_an_editor_sees_late_readers_and_what_came_back_beside_the_ledger(
    client: Client, sent: Mailing
) -> None:
    come()
    lane(sent)
    Delivery.objects.filter(kind=DeliveryKind.LATEST).update(bounce="policy")
    client.force_login(make_user())
    page = normalize_html(
        client.get(f"/admin/newsletter/mailing/{sent.pk}/change/").content.decode()
    )
    assert "1 of 1 letters have gone" in page
    assert "is not wanted there</th><td>1</td>" in page
