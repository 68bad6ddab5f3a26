"""The uncertain are sent the letter again by a person alone; who watches sees a mailing move."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.management import call_command
from django.test import Client

from articles.editorial import workflow
from articles.models import Article
from core.states import InvalidTransition
from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import lifecycle
from newsletter.delivery.lanes import run_lane
from newsletter.models import Delivery, Mailing, MailingStatus, Subscriber
from staff.models import AuditAction, AuditEntry
from tests.factories import (
    MONDAY_MORNING,
    make_mailing,
    make_user,
)
from tests.newsletter.relays import ScriptedRelay, hang_up, once

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
LATER = NOW + dt.timedelta(hours=2)


@pytest.fixture
def sent(relay: Catcher) -> Mailing:
    """To three, of whom nobody knows whether the first one has it."""
    mailing = make_mailing(readers=3)
    lifecycle.launch(mailing, NOW)
    ScriptedRelay.replies["KEPT"] = once(hang_up)
    for _turn in range(2):
        run_lane(mailing.pk, 0, lambda: NOW)
    run_lane(mailing.pk, 0, lambda: LATER)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    assert lifecycle.ledger(mailing).uncertain == 1
    return mailing


def test_who_is_uncertain_is_never_sent_again_by_itself(sent: Mailing, relay: Catcher) -> None:
    before = len(relay.letters)
    run_lane(sent.pk, 0, lambda: LATER + dt.timedelta(days=3))
    assert len(relay.letters) == before


def test_a_person_sends_to_the_uncertain_again_and_to_nobody_else(
    sent: Mailing, relay: Catcher
) -> None:
    uncertain = Delivery.objects.uncertain().get()
    before = len(relay.letters)
    assert lifecycle.resend_uncertain(sent, LATER, by=make_user()) == 1
    run_lane(sent.pk, 0, lambda: LATER)
    assert len(relay.letters) == before + 1
    uncertain.refresh_from_db()
    assert uncertain.status == "sent"
    sent.refresh_from_db()
    assert sent.status == MailingStatus.SENT
    assert lifecycle.ledger(sent).balances
    assert AuditEntry.objects.get(action=AuditAction.SENT_AGAIN).detail == "1"
    assert lifecycle.resend_uncertain(sent, LATER) == 0


def test_who_has_left_meanwhile_is_not_sent_again(sent: Mailing, relay: Catcher) -> None:
    reader = Subscriber.objects.get(deliveries=Delivery.objects.uncertain().get())
    reader.end("left", LATER)
    before = len(relay.letters)
    lifecycle.resend_uncertain(sent, LATER)
    run_lane(sent.pk, 0, lambda: LATER)
    assert len(relay.letters) == before
    assert lifecycle.ledger(sent).excluded == 1


def test_a_withdrawn_text_is_sent_to_nobody_again(sent: Mailing) -> None:
    workflow.withdraw(Article.objects.get(), LATER, by=make_user())
    with pytest.raises(InvalidTransition, match="was withdrawn"):
        lifecycle.resend_uncertain(sent, LATER)
    Mailing.objects.update(status=MailingStatus.CANCELLED)
    with pytest.raises(InvalidTransition, match="Only a mailing that was sent"):
        lifecycle.resend_uncertain(sent, LATER)
    assert Delivery.objects.uncertain().count() == 1


def test_the_admin_names_each_row_before_it_sends(client: Client, sent: Mailing) -> None:
    client.force_login(make_user())
    row = Delivery.objects.uncertain().get()
    change = f"/admin/newsletter/mailing/{sent.pk}/change/"
    assert "Send to the uncertain again" in client.get(change).content.decode()
    asked = client.get(f"/admin/newsletter/mailing/{sent.pk}/do/send-again/").content.decode()
    assert f"{row.pk}: " in asked
    assert "a second time" in asked
    assert Delivery.objects.uncertain().count() == 1
    client.post(f"/admin/newsletter/mailing/{sent.pk}/do/send-again/")
    assert Delivery.objects.uncertain().count() == 0
    assert "Send to the uncertain again" not in client.get(change).content.decode()


def test_the_command_does_the_same(sent: Mailing) -> None:
    out = io.StringIO()
    call_command("mailing", "send-again", str(sent.pk), stdout=out)
    assert "to send 1" in out.getvalue()
