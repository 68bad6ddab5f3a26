"""Coming to the list and leaving it.

The web process takes a sign-up in and seals it; a worker opens it, finds out whose it is
and asks for confirmation; confirming and leaving need no key at all.
"""

from __future__ import annotations

import datetime as dt
import logging
from smtplib import SMTPException, SMTPRecipientsRefused

from django.db import IntegrityError, transaction

from newsletter import addresses, messages
from newsletter.models import (
    Edition,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
    VariantKind,
)
from newsletter.models.subscribers import ONE_CONFIRMATION_IN
from newsroom import links, sealing
from newsroom.links import Kind
from newsroom.sealing import SealBroken, WorkerKeys

logger = logging.getLogger(__name__)

PURPOSE = "sign-up"
PADDED_BYTES = 256
"""Every sealed sign-up is as long as every other, so that its length tells nothing."""
WORDING = 1
"""Version of the sentence beside the form that a reader agrees to."""
BOUNCED_MAY_RETURN_AFTER = dt.timedelta(days=30)
GIVE_UP_ASKING_AFTER = dt.timedelta(days=2)
CONFIRMATION_LEASE = dt.timedelta(minutes=5)
"""How long another worker leaves a confirmation alone that one has begun to send."""


class StaleLink(Exception):
    """A whole and real link, to something that is over."""


def sign_up(
    typed: str, edition: Edition, language: str, now: dt.datetime, variant: str = VariantKind.FULL
) -> SignUp:
    """Takes an address in, sealed for a worker. Raises InvalidAddress, KeyMissing.

    Does not look at the list: the process that runs this cannot.
    """
    address = addresses.normalise(typed).encode()
    return SignUp.objects.create(
        sealed_address=sealing.seal_intake(address.ljust(PADDED_BYTES), PURPOSE),
        edition=edition,
        variant=variant,
        language=language,
        wording=WORDING,
        arrived_at=now,
    )


@transaction.atomic
def process_sign_up(sign_up_id: int, now: dt.datetime) -> int | None:
    """Opens a sign-up and turns it into a subscriber; returns whom to ask, if anyone.

    Safe to repeat: the sign-up goes in the transaction that obeys it. Raises KeyMissing.
    """
    keys = sealing.worker_keys()
    row = SignUp.objects.select_for_update().filter(pk=sign_up_id).first()
    if row is None:
        return None
    try:
        address = keys.open_intake(bytes(row.sealed_address), PURPOSE).decode().rstrip()
    except SealBroken:
        logger.error("Sign-up %s was sealed with a foreign key and is dropped.", row.pk)
        row.delete()
        return None
    subscriber = _welcome(row, address, keys, now)
    row.delete()
    return subscriber.pk if subscriber and subscriber.confirmation_due_at else None


def _welcome(row: SignUp, address: str, keys: WorkerKeys, now: dt.datetime) -> Subscriber | None:
    """The subscriber who is to be asked, or None where nobody may be."""
    address_hash = keys.hash_address(address)
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
    if known is not None and not was_gone and known.confirmation_due_at is not None:
        # Pressed twice: a letter may be on its way just now, and its link has to stay good.
        subscriber.save()
        return subscriber
    subscriber.provider = addresses.provider_of(address)
    subscriber.signed_up_at = row.arrived_at
    # Who left a moment ago and comes back at once is asked again, but not twice a day.
    too_soon = asked is not None and asked > now - ONE_CONFIRMATION_IN
    subscriber.confirmation_due_at = asked + ONE_CONFIRMATION_IN if too_soon and asked else now
    subscriber.put_address(address, keys)
    subscriber.save()
    return subscriber


def _may_come_back(address_hash: bytes, now: dt.datetime) -> bool:
    """Left: yes. Bounced: after thirty days. Complained: only by a manager's hand."""
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if suppression is None or suppression.reason == SubscriberStatus.LEFT:
        return True
    if suppression.reason == SubscriberStatus.BOUNCED:
        return suppression.since <= now - BOUNCED_MAY_RETURN_AFTER
    return False


def send_confirmation(subscriber_id: int, now: dt.datetime) -> bool:
    """Sends a confirmation that is due; False if there is none, or the relay did not take it.

    At least once: what a crash leaves behind is due again when the lease is over.
    Raises KeyMissing.
    """
    keys = sealing.worker_keys()
    due = Subscriber.objects.awaiting_confirmation_mail(now).filter(pk=subscriber_id)
    if not due.update(confirmation_due_at=now + CONFIRMATION_LEASE):
        return False
    subscriber = Subscriber.objects.select_related("edition").get(pk=subscriber_id)
    try:
        messages.confirmation(subscriber, subscriber.address(keys)).send()
    except SealBroken:
        logger.error("Subscriber %s cannot be opened with our keys.", subscriber_id)
        return False
    except (OSError, SMTPException) as error:
        hopeless = _is_hopeless(error) or now - subscriber.signed_up_at >= GIVE_UP_ASKING_AFTER
        if hopeless:
            Subscriber.objects.filter(pk=subscriber_id).update(confirmation_due_at=None)
        # Its text may quote the address; its class does not.
        logger.warning(
            "A confirmation was not taken (%s); %s.",
            type(error).__name__,
            "it is given up" if hopeless else "it is tried again",
        )
        return False
    # Not if they left and came back meanwhile: then another letter is due.
    Subscriber.objects.filter(
        pk=subscriber_id,
        status=SubscriberStatus.PENDING,
        signed_up_at=subscriber.signed_up_at,
    ).update(confirmation_due_at=None, confirmation_sent_at=now)
    return True


def _is_hopeless(error: Exception) -> bool:
    """The relay said for good that there is no such mailbox."""
    return isinstance(error, SMTPRecipientsRefused) and all(
        code >= 500 for code, _text in error.recipients.values()
    )


def find_confirmation(token: str) -> Subscriber:
    """Whom a confirmation link is for. Raises BadToken or StaleLink."""
    row, second = links.read_token(Kind.CONFIRM, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None or subscriber.is_gone or subscriber.sign_up_second != second:
        raise StaleLink
    return subscriber


def confirm(token: str, now: dt.datetime) -> Subscriber:
    """The reader pressed the button. Pressing it twice is fine. Raises BadToken, StaleLink."""
    with transaction.atomic():
        subscriber = find_confirmation(token)
        subscriber.confirm(now)
        return subscriber


def find_letter(token: str) -> Subscriber:
    """Whose letter a link stands in. Raises BadToken, or StaleLink once the row is gone."""
    row, _mailing = links.read_token(Kind.LETTER, token)
    subscriber = Subscriber.objects.select_related("edition").filter(pk=row).first()
    if subscriber is None:
        raise StaleLink
    return subscriber


def leave(token: str, now: dt.datetime) -> bool:
    """Erases the address at once; False if the reader had left before.

    Raises BadToken, StaleLink.
    """
    with transaction.atomic():
        return find_letter(token).end(SubscriberStatus.LEFT, now)


def add_confirmed(
    address: str, edition: Edition, confirmed_at: dt.datetime, keys: WorkerKeys
) -> Subscriber | None:
    """Puts somebody on the list who confirmed elsewhere; None if known or suppressed.

    `address` is in its normal form.
    """
    address_hash = keys.hash_address(address)
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
    )
    subscriber.put_address(address, keys)
    try:
        with transaction.atomic():
            subscriber.save(force_insert=True)
    except IntegrityError:
        return None
    return subscriber
