"""Approving a digest and sending its mailings in the admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from articles.models import Digest
from newsletter.models import Mailing
from tests.factories import make_article, make_edition, make_topic, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user())
    return client


def page(answer: Any) -> str:
    return str(answer.content.decode())


def test_an_editor_orders_introduces_approves_and_sends(desk: Client) -> None:
    make_edition()
    first = make_article(topic=make_topic(code="elite", position=1))
    second = make_article(topic=make_topic(code="west", position=2))
    desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    digest = Digest.objects.get()
    entries = list(digest.entries.all())
    rows = {
        "introduction_en": "A quiet week.",
        "introduction_be": "",
        "introduction_ru": "",
        "entries-TOTAL_FORMS": "2",
        "entries-INITIAL_FORMS": "2",
    }
    for number, (entry, position) in enumerate(zip(entries, (2, 1), strict=True)):
        rows |= {
            f"entries-{number}-id": str(entry.pk),
            f"entries-{number}-digest": str(digest.pk),
            f"entries-{number}-article": str(entry.article_id),
            f"entries-{number}-position": str(position),
        }
    change = reverse("admin:articles_digest_change", args=[digest.pk])
    assert desk.post(change, rows).status_code == 302
    assert digest.ordered_articles() == [second, first]

    assert "would carry 2 articles" in page(desk.get(change))
    approve = reverse("admin:articles_digest_do", args=[digest.pk, "approve"])
    asked = page(desk.get(approve))
    assert "Leaves on 23 November 2026, 07:00." in asked
    assert not Mailing.objects.exists(), "a GET changes nothing"
    [shown] = re.findall(r'name="shown" value="(\w+)"', asked)
    approved = desk.post(approve, {"shown": shown}, follow=True)
    assert "Approved and frozen: EN" in page(approved)
    mailing = Mailing.objects.get()
    assert "A quiet week." in bytes(mailing.variants.get().content).decode()
    # Frozen: the form is read-only now.
    assert desk.post(change, rows).status_code == 403

    send = reverse("admin:newsletter_mailing_do", args=[mailing.pk, "send"])
    assert "The sending has begun. Readers: 0." in page(desk.post(send, follow=True))


def test_approving_an_empty_digest_says_what_is_wrong(desk: Client) -> None:
    make_edition(code="be-ru")
    make_article(published_in=("en",))
    desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    approve = reverse("admin:articles_digest_do", args=[Digest.objects.get().pk, "approve"])
    assert "The digest is empty" in page(desk.post(approve, follow=True))
    assert not Mailing.objects.exists()


def test_every_page_of_the_newsletter_opens(desk: Client) -> None:
    make_edition()
    for model in ("edition", "mailing"):
        path = reverse(f"admin:newsletter_{model}_changelist")
        assert desk.get(path).status_code == 200
