"""A new revision of a letter for whoever has not got the old one, against a real SMTP server."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Article
from core.states import InvalidTransition
from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import approval, lifecycle
from newsletter.campaigns.approval import ApprovalError
from newsletter.delivery import batch, ledger
from newsletter.delivery.lanes import run_lane
from newsletter.models import Delivery, DeliveryStatus, Mailing, MailingStatus
from staff.models import AuditAction, AuditEntry
from tests.articles.browser import visible_text
from tests.factories import (
    A_RELAY,
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_subscriber,
    make_topic,
    make_user,
)
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING


def paused_in_the_middle(relay: Catcher) -> tuple[Mailing, Article]:
    """Three subscribers, one has the letter with both articles; then the first is withdrawn."""
    edition = make_edition()
    for _ in range(3):
        make_subscriber(edition=edition)
    first = make_article(title="First", topic=make_topic(code="elite"))
    make_article(title="Second", topic=make_topic(code="west", position=2))
    [mailing] = approval.approve(build_digest(WEEK), make_user(), NOW)
    lifecycle.launch(mailing, NOW)
    ScriptedRelay.replies["RCPT"] = after(1, "554 5.7.1 Not now")
    with override_settings(CONNECTIONS=1):
        run_lane(mailing.pk, 0, lambda: NOW)
    ScriptedRelay.replies.clear()
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.PAUSED
    workflow.withdraw(first, NOW)
    return mailing, first


def go_on(mailing: Mailing) -> None:
    lifecycle.resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert lifecycle.ledger(mailing).balances


def test_the_rest_get_the_new_letter_and_nobody_gets_two(relay: Catcher) -> None:
    mailing, _first = paused_in_the_middle(relay)
    with pytest.raises(InvalidTransition, match="was withdrawn"):
        lifecycle.resume(mailing, NOW)
    assert approval.freeze_new_revision(mailing, make_user(), NOW) == 2
    go_on(mailing)
    assert mailing.status == MailingStatus.SENT
    texts = [letter.contents.text for letter in relay.letters]
    assert sorted("First en" in text for text in texts) == [False, False, True]
    assert all("Second en" in text for text in texts)
    assert len({tuple(letter.envelope.recipients) for letter in relay.letters}) == 3
    assert AuditEntry.objects.filter(action=AuditAction.REFROZE, detail="2").exists()


def test_a_delivery_knows_which_revision_it_got(relay: Catcher) -> None:
    mailing, _first = paused_in_the_middle(relay)
    approval.freeze_new_revision(mailing, make_user(), NOW)
    go_on(mailing)
    revisions = Delivery.objects.values_list("variant__revision", flat=True)
    assert sorted(revisions) == [1, 2, 2]
    assert mailing.revision == 2


def test_a_lane_that_had_claimed_the_old_letter_sends_the_new_one(relay: Catcher) -> None:
    mailing, _first = paused_in_the_middle(relay)
    Mailing.objects.filter(pk=mailing.pk).update(status=MailingStatus.SENDING)
    lane = ledger.open_lane(mailing, 7, NOW)
    assert lane is not None
    claimed = (
        ledger.claim(lane, A_RELAY, NOW, 1).letters
        or ledger.claim(lane, A_RELAY, NOW + ledger.GIVE_UP_AFTER / 2, 1).letters
    )
    Mailing.objects.filter(pk=mailing.pk).update(status=MailingStatus.PAUSED)
    approval.freeze_new_revision(mailing, make_user(), NOW)
    lifecycle.resume(mailing, NOW)
    variants = batch.commit(lane, [], [claimed[0].pk], "relay", NOW)
    assert variants == {claimed[0].pk: mailing.variants.get(revision=2).pk}
    ledger.close_lane(lane, NOW)
    assert Delivery.objects.filter(status=DeliveryStatus.CLAIMED).count() == 0
    assert lifecycle.ledger(mailing).balances


def test_a_second_withdrawal_is_looked_for_in_the_new_letter(relay: Catcher) -> None:
    mailing, first = paused_in_the_middle(relay)
    approval.freeze_new_revision(mailing, make_user(), NOW)
    assert list(Mailing.objects.carrying(first, "en")) == []
    second = Article.objects.exclude(pk=first.pk).get()
    assert list(Mailing.objects.carrying(second, "en")) == [mailing]


def test_a_correction_is_frozen_anew_too(relay: Catcher) -> None:
    mailing, first = paused_in_the_middle(relay)
    second = Article.objects.exclude(pk=first.pk).get()
    second.title_en = "Corrected"
    save_article(second, by=second.owner, now=NOW)
    approval.freeze_new_revision(mailing, make_user(), NOW)
    newest = mailing.variants.order_by("-revision").first()
    assert newest is not None
    assert b"Corrected" in bytes(newest.content)


def test_only_a_paused_mailing_with_something_left_is_frozen_anew(relay: Catcher) -> None:
    mailing, first = paused_in_the_middle(relay)
    workflow.withdraw(Article.objects.exclude(pk=first.pk).get(), NOW)
    with pytest.raises(ApprovalError, match="Nothing is left"):
        approval.freeze_new_revision(mailing, make_user(), NOW)
    assert mailing.variants.count() == 1
    lifecycle.cancel(mailing, NOW)
    with pytest.raises(InvalidTransition, match="Only a paused mailing"):
        approval.freeze_new_revision(mailing, make_user(), NOW)


def test_the_editor_is_told_who_gets_which_letter(client: Client, relay: Catcher) -> None:
    client.force_login(make_user())
    mailing, _first = paused_in_the_middle(relay)
    verb = reverse("admin:newsletter_mailing_do", args=[mailing.pk, "freeze-again"])
    asked = visible_text(client.get(verb))
    assert "Have the old letter already, or may have it: 1." in asked
    assert "Would get the new letter: 2." in asked
    assert "Second en" in asked
    assert "First en" not in asked
    told = visible_text(client.post(verb, follow=True))
    assert "Frozen anew. Readers who will get the new letter: 2." in told
