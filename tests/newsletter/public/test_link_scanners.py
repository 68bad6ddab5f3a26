"""Mail scanners open every link of every letter. Others' lists lost their subscribers by that."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.core import mail
from django.test import Client

from articles.editorial.digest_builder import build_digest
from demo.mail_catcher.catcher import Catcher
from demo.mail_catcher.letters import Letter
from newsletter.campaigns import approval
from newsletter.campaigns.lifecycle import launch
from newsletter.delivery.lanes import run_lane
from newsletter.models import Edition, Mailing, MailKind, Subscriber, VariantKind
from newsletter.subscribers import sign_up
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_subscriber,
    make_user,
)
from tests.newsletter import transactional_mails

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
LINK = re.compile(r"https?://[^\s\"'<>)]+")


def everything() -> dict[str, list[Any]]:
    """All rows of all tables."""
    return {
        model._meta.label: sorted(map(repr, model._default_manager.values_list()))
        for model in apps.get_models(include_auto_created=True)
    }


def send_a_digest() -> None:
    """To a subscriber of each edition and variant."""
    for edition in Edition.objects.all():
        for kind in VariantKind:
            make_subscriber(edition=edition, variant=kind)
    make_article()
    for mailing in approval.approve(build_digest(WEEK), make_user(), NOW):
        launch(mailing, NOW)
        run_lane(mailing.pk, 0, lambda: NOW)


def ask_welcome_and_answer(variant: str) -> None:
    """The single mails, to a subscriber who signs up."""
    edition = Edition.objects.get(code="en")
    row = sign_up.sign_up(f"{variant}@example.org", edition, "en", NOW, variant=variant)
    subscriber = sign_up.process_sign_up(row.pk, NOW)
    assert subscriber is not None
    transactional_mails.send_confirmation(subscriber, NOW)
    Subscriber.objects.get(pk=subscriber).confirm(NOW)
    transactional_mails.put(subscriber, NOW, MailKind.WELCOME, MailKind.PREFERENCES)
    transactional_mails.send_welcome(subscriber, NOW)
    transactional_mails.send_preferences_link(subscriber, NOW)


def links_of(letter: Letter) -> set[str]:
    said = " ".join(value for _name, value in letter.headers)
    return set(LINK.findall(f"{said} {letter.contents.text} {letter.contents.html}"))


def test_a_scanner_that_opens_every_link_of_every_letter_changes_nothing(
    client: Client, relay: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.public.views.timezone.now", lambda: NOW)
    make_edition(code="en", discreet=True)
    make_edition(code="be-ru", discreet=True, position=2)
    send_a_digest()
    for variant in VariantKind:
        ask_welcome_and_answer(variant)
    letters = relay.letters
    assert len(letters) == 4 + 6
    links = set().union(*(links_of(letter) for letter in letters))
    kinds = {path.split("/")[2] for link in links if (path := urlsplit(link).path).count("/") > 2}
    assert {"letter", "confirm", "preferences"} <= kinds
    # A signed-up subscriber confirmed by hand: their link would do nothing. Ask one more.
    row = sign_up.sign_up("one.more@example.org", Edition.objects.get(code="en"), "en", NOW)
    pending = sign_up.process_sign_up(row.pk, NOW)
    assert pending is not None
    transactional_mails.send_confirmation(pending, NOW)
    links |= links_of(relay.letters[-1])

    before, sent = everything(), len(relay.letters)
    for _again in range(2):
        for link in sorted(links):
            parts = urlsplit(link)
            where = {"headers": {"host": parts.netloc}}
            for ask in (client.get, client.head):
                answer = ask(parts.path, **where)
                assert answer.status_code == 200, link
                assert not answer.cookies
    assert everything() == before
    assert len(relay.letters) == sent
    assert not mail.outbox
    assert Mailing.objects.count() == 2


def test_after_a_scanner_the_subscriber_still_can(client: Client, relay: Catcher) -> None:
    make_edition(code="en")
    subscriber = make_subscriber(edition=Edition.objects.get())
    make_article()
    [mailing] = approval.approve(build_digest(WEEK), make_user(), NOW)
    launch(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    [letter] = relay.letters
    [leave] = [link for link in links_of(letter) if "/letter/" in link]
    client.get(urlsplit(leave).path)
    client.post(urlsplit(leave).path, {"List-Unsubscribe": "One-Click"})
    subscriber.refresh_from_db()
    assert subscriber.status == "left"
