"""Coming to the list and leaving it.

The web process takes a sign-up in and seals it; a worker opens it and finds out whose it is;
confirming and leaving need no key at all. The mails in between wait in the outbox.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from keys import sealing, tokens
from keys.sealing import SealBroken, WorkerKeys
from keys.tokens import Kind
from newsletter.campaigns import latest_issue
from newsletter.models import (
    Edition,
    HashGeneration,
    MailKind,
    Manner,
    OutboxMail,
    SignUp,
    Spending,
    Subscriber,
    SubscriberStatus,
    Suppression,
    VariantKind,
)
from newsletter.models.quotas import DAY, TRAPPED, window_start
from newsletter.models.subscribers import ONE_CONFIRMATION_IN
from newsletter.subscribers import addresses, consent
from newsletter.subscribers.addresses import InvalidAddress

logger = logging.getLogger(__name__)

PURPOSE = "sign-up"
MOST_COUNTED = 1_000_000
BOUNCED_MAY_RETURN_AFTER = dt.timedelta(days=30)


class IntakeFull(Exception):
    """More wait than are to be let wait."""


class StaleLink(Exception):
    """A whole and real link, to something that is over."""


def sign_up(
    typed: str,
    edition: Edition,
    language: str,
    now: dt.datetime,
    *,
    variant: str = VariantKind.FULL,
    manner: str = Manner.NORMAL,
) -> SignUp:
    """Takes an address in, sealed for a worker. Raises InvalidAddress, KeyMissing, IntakeFull.

    Does not look at the list: the process that runs this cannot.
    """
    address = sealing.padded(addresses.normalise(typed))
    if is_full(manner):
        raise IntakeFull
    return SignUp.objects.create(
        sealed_address=sealing.seal_intake(address, PURPOSE),
        edition=edition,
        variant=variant,
        language=language,
        wording=consent.CURRENT,
        arrived_at=now,
        manner=manner,
    )


def is_full(manner: str = Manner.NORMAL) -> bool:
    """Whether as many wait as may. No query counts further than that.

    Those that came too fast are counted by themselves: they close the form to each other alone.
    """
    most = settings.MAX_WAITING_SIGN_UPS
    fast, others = Q(manner=Manner.FAST), ~Q(manner=Manner.FAST)
    waiting = _count(SignUp.objects.filter(fast if manner == Manner.FAST else others), most)
    if manner != Manner.FAST and waiting < most:
        waiting += _count(OutboxMail.objects.confirmations(), most)
    return waiting >= most


def _count(rows: QuerySet[Any], most: int) -> int:
    return rows.order_by()[:most].count()


@transaction.atomic
def process_sign_up(sign_up_id: int, now: dt.datetime) -> int | None:
    """Opens a sign-up and turns it into a subscriber; returns whom to ask, if anyone.

    Safe to repeat: the sign-up goes in the transaction that obeys it. Raises KeyMissing.
    """
    keys = sealing.worker_keys()
    # Before anything is opened: with older keys than the list's it is not ours to drop.
    generation = HashGeneration.held(keys)
    row = SignUp.objects.select_for_update().filter(pk=sign_up_id).first()
    if row is None:
        return None
    if row.manner == Manner.TRAPPED:
        # Taken in like any other, so that its sender learns nothing; and not even opened.
        Spending.spend(TRAPPED, window_start(now, DAY), MOST_COUNTED)
        row.delete()
        return None
    try:
        opened = keys.open_intake(bytes(row.sealed_address), PURPOSE)
        # Looked at once more: whoever has the web process may seal what the form would refuse.
        address = addresses.normalise(sealing.unpadded(opened))
    except SealBroken:
        logger.error("Sign-up %s was sealed with a foreign key and is dropped.", row.pk)
        row.delete()
        return None
    except (UnicodeDecodeError, InvalidAddress):
        logger.error("Sign-up %s is no address and is dropped.", row.pk)
        row.delete()
        return None
    subscriber = _take_in(row, address, keys, generation, now)
    row.delete()
    return subscriber.pk if subscriber else None


def _take_in(
    row: SignUp, address: str, keys: WorkerKeys, generation: int, now: dt.datetime
) -> Subscriber | None:
    """The subscriber who is to be asked, or None where nobody may be."""
    address_hash = keys.hash_address(address, generation)
    if not _may_come_back(address_hash, now):
        return None
    known = Subscriber.objects.select_for_update().filter(address_hash=address_hash).first()
    if known is not None and known.status == SubscriberStatus.ACTIVE:
        return None
    asked = known.confirmation_sent_at if known else None
    was_gone = known is not None and known.is_gone
    if known is not None and not was_gone and asked and asked > now - ONE_CONFIRMATION_IN:
        return None
    subscriber = known or Subscriber()
    subscriber.status = SubscriberStatus.PENDING
    subscriber.edition, subscriber.variant = row.edition, row.variant
    subscriber.language, subscriber.wording = row.language, row.wording
    if known is not None and not was_gone and known.outbox.confirmations().exists():
        # Pressed twice: a letter may be on its way just now, and its link has to stay good.
        subscriber.save()
        return subscriber
    subscriber.provider = addresses.provider_of(address)
    subscriber.signed_up_at = row.arrived_at
    # Who left a moment ago and comes back at once is asked again, but not twice a day.
    too_soon = asked is not None and asked > now - ONE_CONFIRMATION_IN
    due_at = asked + ONE_CONFIRMATION_IN if too_soon and asked else now
    subscriber.put_address(address, keys, generation)
    subscriber.save()
    OutboxMail.objects.put(subscriber, MailKind.CONFIRMATION, now, due_at)
    return subscriber


def _may_come_back(address_hash: bytes, now: dt.datetime) -> bool:
    """Left: yes. Bounced: after thirty days. Complained: only by a manager's hand."""
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if suppression is None or suppression.reason == SubscriberStatus.LEFT:
        return True
    if suppression.reason == SubscriberStatus.BOUNCED:
        return suppression.since <= now - BOUNCED_MAY_RETURN_AFTER
    return False


def find_confirmation(token: str) -> Subscriber:
    """Whom a confirmation link is for. Raises BadToken or StaleLink."""
    row, second = tokens.read_token(Kind.CONFIRM, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None or subscriber.is_gone or subscriber.sign_up_second != second:
        raise StaleLink
    return subscriber


def confirm(token: str, now: dt.datetime) -> Subscriber:
    """The reader pressed the button. Pressing it twice is fine. Raises BadToken, StaleLink."""
    with transaction.atomic():
        subscriber = find_confirmation(token)
        if subscriber.confirm(now):
            latest_issue.welcome(subscriber, now)
        return subscriber


def find_letter(token: str) -> Subscriber:
    """Whose letter a link stands in. Raises BadToken, or StaleLink once the row is gone."""
    row, _mailing = tokens.read_token(Kind.LETTER, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None:
        raise StaleLink
    return subscriber


@transaction.atomic
def ask_for_preferences(subscriber: Subscriber, now: dt.datetime) -> bool:
    """Whoever has a letter may cause one mail a day to its subscriber; False if one was caused."""
    asked = subscriber.ask_for_preferences(now)
    if asked:
        OutboxMail.objects.put(subscriber, MailKind.PREFERENCES, now)
    return asked


def leave(token: str, now: dt.datetime) -> bool:
    """Erases the address at once; False if the reader had left before.

    Raises BadToken, StaleLink.
    """
    with transaction.atomic():
        return find_letter(token).end(SubscriberStatus.LEFT, now)


@transaction.atomic
def add_confirmed(
    address: str, edition: Edition, confirmed_at: dt.datetime, keys: WorkerKeys
) -> Subscriber | None:
    """Puts somebody on the list who confirmed elsewhere; None if known or suppressed.

    `address` is in its normal form.
    """
    generation = HashGeneration.held(keys)
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
    subscriber.put_address(address, keys, generation)
    try:
        with transaction.atomic():
            subscriber.save(force_insert=True)
    except IntegrityError:
        return None
    return subscriber
