"""Sign-up, confirmation and unsubscribing.

The web process seals a sign-up; a worker opens it and finds whose it is. Confirming and
unsubscribing need no key. The mails in between wait in the outbox.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from keys import sealing, tokens
from keys.sealing import DecryptionError, WorkerKeys
from keys.tokens import TokenKind
from newsletter.campaigns import latest_issue
from newsletter.models import (
    Edition,
    HashGeneration,
    MailKind,
    Manner,
    OutboxMail,
    Quota,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
    VariantKind,
)
from newsletter.models.quotas import DAY, TRAPPED, window_start
from newsletter.models.subscribers import CONFIRMATION_INTERVAL
from newsletter.subscribers import addresses, consent
from newsletter.subscribers.addresses import InvalidAddress

logger = logging.getLogger(__name__)

PURPOSE = "sign-up"
MAX_COUNT = 1_000_000
BOUNCE_COOLDOWN = dt.timedelta(days=30)


class SignUpQueueFull(Exception):
    """Too many sign-ups and confirmations wait (MAX_PENDING_SIGN_UPS)."""


class ExpiredLink(Exception):
    """A genuine link that is no longer valid."""


def sign_up(
    typed: str,
    edition: Edition,
    language: str,
    now: dt.datetime,
    *,
    variant: str = VariantKind.FULL,
    manner: str = Manner.NORMAL,
) -> SignUp:
    """Seals the address for a worker. Raises InvalidAddress, KeyNotFound, SignUpQueueFull.

    Does not consult the list: the web process cannot read it.
    """
    address = sealing.pad_address(addresses.normalise(typed))
    if is_queue_full(manner):
        raise SignUpQueueFull
    return SignUp.objects.create(
        sealed_address=sealing.seal_intake(address, PURPOSE),
        edition=edition,
        variant=variant,
        language=language,
        wording=consent.CURRENT_CONSENT_VERSION,
        arrived_at=now,
        manner=manner,
    )


def is_queue_full(manner: str = Manner.NORMAL) -> bool:
    """Whether MAX_PENDING_SIGN_UPS wait. No query counts further than that.

    Rate-limited sign-ups are counted apart: they close the form to each other alone.
    """
    limit = settings.MAX_PENDING_SIGN_UPS
    fast, others = Q(manner=Manner.FAST), ~Q(manner=Manner.FAST)
    waiting = _count(SignUp.objects.filter(fast if manner == Manner.FAST else others), limit)
    if manner != Manner.FAST and waiting < limit:
        waiting += _count(OutboxMail.objects.confirmations(), limit)
    return waiting >= limit


def _count(rows: QuerySet[Any], limit: int) -> int:
    return rows.order_by()[:limit].count()


@transaction.atomic
def process_sign_up(sign_up_id: int, now: dt.datetime) -> int | None:
    """Turns a sign-up into a pending subscriber; returns whom to ask to confirm, if anyone.

    Safe to repeat: the sign-up is deleted in the same transaction. Raises KeyNotFound.
    """
    keys = sealing.worker_keys()
    # First: a worker with older keys than the list's must not drop the sign-up.
    generation = HashGeneration.lock_shared(keys)
    row = SignUp.objects.select_for_update().filter(pk=sign_up_id).first()
    if row is None:
        return None
    if row.manner == Manner.TRAPPED:
        # Accepted like any other, so that its sender learns nothing; dropped unopened.
        Quota.spend(TRAPPED, window_start(now, DAY), MAX_COUNT)
        row.delete()
        return None
    try:
        opened = keys.open_intake(bytes(row.sealed_address), PURPOSE)
        # Validated again: a compromised web process could seal what the form would refuse.
        address = addresses.normalise(sealing.unpad_address(opened))
    except DecryptionError:
        logger.error("Sign-up %s was sealed with a foreign key and is dropped.", row.pk)
        row.delete()
        return None
    except (UnicodeDecodeError, InvalidAddress):
        logger.error("Sign-up %s holds no address and is dropped.", row.pk)
        row.delete()
        return None
    subscriber = _subscribe(row, address, keys, generation, now)
    row.delete()
    return subscriber.pk if subscriber else None


def _subscribe(
    row: SignUp, address: str, keys: WorkerKeys, generation: int, now: dt.datetime
) -> Subscriber | None:
    """The subscriber to be asked to confirm, or None where nobody may be asked."""
    address_hash = keys.hash_address(address, generation)
    if not _may_resubscribe(address_hash, now):
        return None
    known = Subscriber.objects.select_for_update().filter(address_hash=address_hash).first()
    if known is not None and known.status == SubscriberStatus.ACTIVE:
        return None
    asked = known.confirmation_sent_at if known else None
    was_gone = known is not None and known.is_gone
    if known is not None and not was_gone and asked and asked > now - CONFIRMATION_INTERVAL:
        return None
    subscriber = known or Subscriber()
    subscriber.status = SubscriberStatus.PENDING
    subscriber.edition, subscriber.variant = row.edition, row.variant
    subscriber.language, subscriber.wording = row.language, row.wording
    if known is not None and not was_gone and known.outbox.confirmations().exists():
        # Submitted twice: a confirmation may be on its way, and its link must stay valid.
        subscriber.save()
        return subscriber
    subscriber.provider = addresses.provider_of(address)
    subscriber.signed_up_at = row.arrived_at
    # Whoever unsubscribed and signs up again is asked again, at most once a day.
    too_soon = asked is not None and asked > now - CONFIRMATION_INTERVAL
    due_at = asked + CONFIRMATION_INTERVAL if too_soon and asked else now
    subscriber.set_address(address, keys, generation)
    subscriber.save()
    OutboxMail.objects.enqueue(subscriber, MailKind.CONFIRMATION, now, due_at)
    return subscriber


def _may_resubscribe(address_hash: bytes, now: dt.datetime) -> bool:
    """Unsubscribed: yes. Bounced: after thirty days. Complained: only once a manager lifts it."""
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if suppression is None or suppression.reason == SubscriberStatus.UNSUBSCRIBED:
        return True
    if suppression.reason == SubscriberStatus.BOUNCED:
        return suppression.since <= now - BOUNCE_COOLDOWN
    return False


def find_by_confirmation_token(token: str) -> Subscriber:
    """Raises InvalidToken or ExpiredLink."""
    row, second = tokens.read_token(TokenKind.CONFIRM, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None or subscriber.is_gone or subscriber.sign_up_timestamp != second:
        raise ExpiredLink
    return subscriber


def confirm(token: str, now: dt.datetime) -> Subscriber:
    """Safe to repeat. Raises InvalidToken, ExpiredLink."""
    with transaction.atomic():
        subscriber = find_by_confirmation_token(token)
        if subscriber.confirm(now):
            latest_issue.queue_welcome(subscriber, now)
        return subscriber


def find_by_letter_token(token: str) -> Subscriber:
    """Raises InvalidToken, or ExpiredLink once the row is gone."""
    row, _mailing = tokens.read_token(TokenKind.LETTER, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None:
        raise ExpiredLink
    return subscriber


@transaction.atomic
def request_preferences_link(subscriber: Subscriber, now: dt.datetime) -> bool:
    """At most one mail a day, whoever holds the letter; False if one was sent already."""
    asked = subscriber.ask_for_preferences(now)
    if asked:
        OutboxMail.objects.enqueue(subscriber, MailKind.PREFERENCES, now)
    return asked


def unsubscribe(token: str, now: dt.datetime) -> bool:
    """Erases the address at once; False if they had unsubscribed before.

    Raises InvalidToken, ExpiredLink.
    """
    with transaction.atomic():
        return find_by_letter_token(token).end(SubscriberStatus.UNSUBSCRIBED, now)


@transaction.atomic
def add_confirmed(
    address: str, edition: Edition, confirmed_at: dt.datetime, keys: WorkerKeys
) -> Subscriber | None:
    """Adds somebody who confirmed elsewhere; None if known or suppressed.

    `address` is normalised.
    """
    generation = HashGeneration.lock_shared(keys)
    address_hash = keys.hash_address(address, generation)
    if (
        Suppression.objects.filter(address_hash=address_hash).exists()
        or Subscriber.objects.filter(address_hash=address_hash).exists()
    ):
        return None
    subscriber = Subscriber(
        edition=edition,
        language=edition.language,
        provider=addresses.provider_of(address),
        status=SubscriberStatus.ACTIVE,
        signed_up_at=confirmed_at,
        confirmed_at=confirmed_at,
        consented_to=edition.code,
    )
    subscriber.set_address(address, keys, generation)
    try:
        with transaction.atomic():
            subscriber.save(force_insert=True)
    except IntegrityError:
        return None
    return subscriber
