"""Lookups: is this person on the list? Requested by staff, answered by a worker, audited.

The worker enforces limits and writes the audit: a compromised web process can create a lookup, but
neither answer it nor escape the limit.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from keys import sealing
from keys.sealing import DecryptionError
from newsletter.models import (
    HashGeneration,
    LookupAction,
    LookupAnswer,
    Subscriber,
    SubscriberLookup,
    Suppression,
)
from newsletter.subscribers import addresses, administration, lookup_limits
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyLookups
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

PURPOSE = "inquiry"


def request_lookup(typed: str, by: Any, now: dt.datetime) -> SubscriberLookup:
    """Seals the address for a worker. Raises InvalidAddress, TooManyLookups, KeyNotFound."""
    address = sealing.pad_address(addresses.normalise(typed))
    waiting = SubscriberLookup.objects.filter(asked_by=by, answer=LookupAnswer.WAITING).count()
    lookup_limits.check_quota(by.pk, now, waiting)
    sealed = sealing.seal_intake(address, PURPOSE)
    return SubscriberLookup.objects.create(asked_by=by, asked_at=now, sealed_address=sealed)


def process_lookup(lookup_id: int, now: dt.datetime) -> bool:
    """Answers it, or applies the requested action; True if that wrote a departure.

    Safe to repeat. Raises KeyNotFound.
    """
    answer_lookup(lookup_id, now)
    return apply_requested_action(lookup_id, now)


@transaction.atomic
def answer_lookup(lookup_id: int, now: dt.datetime) -> None:
    """Finds the row and erases the address. Safe to repeat. Raises KeyNotFound."""
    keys = sealing.worker_keys()
    generation = HashGeneration.lock_shared(keys)
    inquiry = SubscriberLookup.objects.select_for_update().filter(pk=lookup_id).first()
    if inquiry is None or inquiry.answer:
        return
    try:
        opened = keys.open_intake(bytes(inquiry.sealed_address), PURPOSE)
        address = addresses.normalise(sealing.unpad_address(opened))
    except (DecryptionError, UnicodeDecodeError, InvalidAddress):
        logger.error("Lookup %s was sealed with a foreign key, or holds no address.", inquiry.pk)
        inquiry.record_answer(LookupAnswer.UNREADABLE, now)
        return
    try:
        lookup_limits.spend_lookup(inquiry.asked_by_id, now)
    except TooManyLookups:
        _refuse(inquiry, now)
        return
    address_hash = keys.hash_address(address, generation)
    subscriber = Subscriber.objects.filter(address_hash=address_hash).first()
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if subscriber is None and suppression is None:
        inquiry.record_answer(LookupAnswer.UNKNOWN, now)
    else:
        subject = _seal_subject(inquiry, subscriber, suppression)
        inquiry.find(now, subscriber, suppression, subject)
    record(AuditAction.ASKED, inquiry, by=inquiry.asked_by, now=now)


def _refuse(inquiry: SubscriberLookup, now: dt.datetime) -> None:
    inquiry.record_answer(LookupAnswer.REFUSED, now)
    if lookup_limits.is_first_refusal(now):
        logger.warning("The day's limit of lookups is reached.")
        detail = _("Refused, as all further ones today: the limit is reached.")
        record(AuditAction.ASKED, inquiry, by=inquiry.asked_by, now=now, detail=detail)


@transaction.atomic
def apply_requested_action(lookup_id: int, now: dt.datetime) -> bool:
    """Applies what a manager requested for an answered lookup; True if that wrote a departure.

    Reveals nothing new, so it does not count as a lookup. Raises KeyNotFound.
    """
    HashGeneration.lock_shared(sealing.worker_keys())
    inquiry = SubscriberLookup.objects.select_for_update().filter(pk=lookup_id).first()
    if inquiry is None or not inquiry.wish:
        return False
    try:
        subscriber, suppression = _open_subject(inquiry)
    except (DecryptionError, ValueError):
        # The keys have been rotated since.
        inquiry.record_answer(LookupAnswer.UNREADABLE, now)
        return False
    done = LookupAnswer.UNKNOWN
    match inquiry.wish:
        case LookupAction.TAKE_OFF if subscriber is not None:
            administration.unsubscribe_for_manager(subscriber, inquiry, now)
            done = LookupAnswer.TAKEN_OFF
        case LookupAction.FORGET if subscriber is not None:
            administration.forget_for_manager(subscriber, inquiry, now)
            done = LookupAnswer.FORGOTTEN
        case LookupAction.LIFT if suppression is not None:
            administration.lift_suppression_for_manager(suppression, inquiry, now)
            done = LookupAnswer.LIFTED
    inquiry.record_answer(done, now)
    return done != LookupAnswer.UNKNOWN


def _seal_subject(
    inquiry: SubscriberLookup, subscriber: Subscriber | None, suppression: Suppression | None
) -> bytes:
    """Seals the ids of the rows found, in constant length, for a worker. Raises KeyNotFound."""
    ids = [one.pk if one is not None else 0 for one in (subscriber, suppression)]
    return sealing.seal_intake(b"%020d %020d" % tuple(ids), subject_purpose(inquiry))


def _open_subject(inquiry: SubscriberLookup) -> tuple[Subscriber | None, Suppression | None]:
    """Raises DecryptionError, ValueError, KeyNotFound."""
    keys = sealing.worker_keys()
    opened = keys.open_intake(bytes(inquiry.sealed_subject), subject_purpose(inquiry))
    subscriber, suppression = map(int, opened.split())
    return (
        Subscriber.objects.filter(pk=subscriber).first(),
        Suppression.objects.filter(pk=suppression).first(),
    )


def subject_purpose(inquiry: SubscriberLookup) -> str:
    """Bound to its lookup, so that it opens in no other."""
    return f"{PURPOSE} {inquiry.pk}"
