"""Who confirms between two digests gets the latest one at once, or a short welcome."""

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
from newsletter.models.mailings import HAS_BEGUN

IS_NEWS_FOR_WEEKS = 5
"""An older digest is no greeting: the newsroom has paused."""


def welcome(subscriber: Subscriber, now: dt.datetime) -> Delivery | None:
    """Leaves a row that is due: the latest letter, or where there is none, a short welcome.

    Must run in the transaction that confirms.
    """
    mailing = latest_mailing(subscriber.edition, now)
    delivery = _deliver(mailing, subscriber, now) if mailing is not None else None
    if delivery is None:
        OutboxMail.objects.put(subscriber, MailKind.WELCOME, now)
    return delivery


def latest_mailing(edition: Edition, now: dt.datetime) -> Mailing | None:
    """The edition's newest, if it has begun and still says what the site says.

    What was withdrawn or corrected since is in frozen letters for good: nobody gets another one.
    """
    oldest = Week.containing(now.date()).previous(IS_NEWS_FOR_WEEKS)
    newest = (
        Mailing.objects.filter(edition=edition, status__in=HAS_BEGUN, digest__week__gte=oldest)
        .order_by("-digest__week", "-pk")
        .first()
    )
    return newest if newest is not None and is_current(newest) else None


def is_current(mailing: Mailing) -> bool:
    """Whether each text in the frozen letter is public, and is still the text that was frozen."""
    for content in mailing.contents.select_related("article"):
        article = content.article
        if content.language not in article.public_languages:
            return False
        text = article.text_in(content.language)
        if content.fingerprint and content.fingerprint != text.fingerprint:
            return False
    return True


def _deliver(mailing: Mailing, subscriber: Subscriber, now: dt.datetime) -> Delivery | None:
    """None where they have had this digest, or there is no letter of the kind they chose."""
    variants = Variant.objects.filter(mailing=mailing, kind=subscriber.variant)
    if mailing.status == MailingStatus.SENT:
        # Who was sent an unsigned one got it before letters were signed; nobody gets it any more.
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
