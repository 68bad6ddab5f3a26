"""Who confirms between two digests gets the latest issue at once, or a short welcome mail."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction

from core.weeks import Week
from newsletter.models import (
    Delivery,
    DeliveryKind,
    Edition,
    Mailing,
    MailingStatus,
    MailKind,
    OutboxMail,
    Subscriber,
    Variant,
)
from newsletter.models.mailings import DELIVERABLE

MAX_ISSUE_AGE_WEEKS = 5
"""An older issue is not sent: the newsletter was interrupted."""


def queue_welcome(subscriber: Subscriber, now: dt.datetime) -> Delivery | None:
    """Makes the latest issue due, or without one the welcome mail.

    Must run in the transaction that confirms.
    """
    mailing = latest_mailing(subscriber.edition, now)
    delivery = _deliver(mailing, subscriber, now) if mailing is not None else None
    if delivery is None:
        OutboxMail.objects.enqueue(subscriber, MailKind.WELCOME, now)
    return delivery


def latest_mailing(edition: Edition, now: dt.datetime) -> Mailing | None:
    """The edition's newest, if it was launched and its texts are still those on the site.

    A frozen letter cannot lose what was withdrawn or corrected since, so nobody else gets it.
    """
    oldest = Week.containing(now.date()).previous(MAX_ISSUE_AGE_WEEKS)
    newest = (
        Mailing.objects.filter(edition=edition, status__in=DELIVERABLE, digest__week__gte=oldest)
        .order_by("-digest__week", "-pk")
        .first()
    )
    return newest if newest is not None and is_current(newest) else None


def is_current(mailing: Mailing) -> bool:
    """Whether each text in the frozen letter is still public and unchanged."""
    for content in mailing.contents.select_related("article"):
        article = content.article
        if content.language not in article.public_languages:
            return False
        text = article.text_in(content.language)
        if content.fingerprint and content.fingerprint != text.fingerprint:
            return False
    return True


def _deliver(mailing: Mailing, subscriber: Subscriber, now: dt.datetime) -> Delivery | None:
    """None if they received this digest already, or their variant does not exist."""
    variants = Variant.objects.filter(mailing=mailing, kind=subscriber.variant)
    if mailing.status == MailingStatus.SENT:
        # An unsigned variant was sent before letters were signed, and is not sent any more.
        variants = variants.signed()
    variant = variants.order_by("-revision").first()
    if variant is None:
        return None
    try:
        with transaction.atomic():
            return Delivery.objects.create(
                mailing=mailing,
                digest_id=mailing.digest_id,
                variant=variant,
                subscriber=subscriber,
                kind=DeliveryKind.LATEST,
                provider=subscriber.provider,
                due_at=now,
            )
    except IntegrityError:
        return None
