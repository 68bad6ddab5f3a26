"""Is this person on the list? Asked by one who may, answered by a worker, written down.

Limits and audit stand where the answer is made: a web process in other hands can write the
question, but neither its answer nor what it cost.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from keys import sealing
from keys.sealing import SealBroken
from newsletter.models import Answer, HashGeneration, Inquiry, Subscriber, Suppression, Wish
from newsletter.subscribers import addresses, administration, lookup_limits
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyQuestions
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

PURPOSE = "inquiry"


def ask(typed: str, by: Any, now: dt.datetime) -> Inquiry:
    """Seals the question for a worker. Raises InvalidAddress, TooManyQuestions, KeyMissing."""
    address = sealing.padded(addresses.normalise(typed))
    waiting = Inquiry.objects.filter(asked_by=by, answer=Answer.WAITING).count()
    lookup_limits.check_left(by.pk, now, waiting)
    sealed = sealing.seal_intake(address, PURPOSE)
    return Inquiry.objects.create(asked_by=by, asked_at=now, sealed_address=sealed)


def work_on(inquiry_id: int, now: dt.datetime) -> bool:
    """Answers it, or does what was wished for; True if somebody has left by it.

    Safe to repeat. Raises KeyMissing.
    """
    answer(inquiry_id, now)
    return carry_out(inquiry_id, now)


@transaction.atomic
def answer(inquiry_id: int, now: dt.datetime) -> None:
    """Opens the question, finds the row, forgets the address. Safe to repeat. Raises KeyMissing."""
    keys = sealing.worker_keys()
    generation = HashGeneration.held(keys)
    inquiry = Inquiry.objects.select_for_update().filter(pk=inquiry_id).first()
    if inquiry is None or inquiry.answer:
        return
    try:
        opened = keys.open_intake(bytes(inquiry.sealed_address), PURPOSE)
        address = addresses.normalise(sealing.unpadded(opened))
    except (SealBroken, UnicodeDecodeError, InvalidAddress):
        logger.error("Question %s was sealed with a foreign key, or is none.", inquiry.pk)
        inquiry.settle(Answer.UNREADABLE, now)
        return
    try:
        lookup_limits.spend(inquiry.asked_by_id, now)
    except TooManyQuestions:
        _refuse(inquiry, now)
        return
    address_hash = keys.hash_address(address, generation)
    subscriber = Subscriber.objects.filter(address_hash=address_hash).first()
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if subscriber is None and suppression is None:
        inquiry.settle(Answer.UNKNOWN, now)
    else:
        subject = _seal_subject(inquiry, subscriber, suppression)
        inquiry.find(now, subscriber, suppression, subject)
    record(AuditAction.ASKED, inquiry, by=inquiry.asked_by, now=now)


def _refuse(inquiry: Inquiry, now: dt.datetime) -> None:
    inquiry.settle(Answer.REFUSED, now)
    if lookup_limits.is_first_refusal(now):
        logger.warning("More is asked about the list than the day's limit allows.")
        detail = _("Refused, as all further ones today: the limit is reached.")
        record(AuditAction.ASKED, inquiry, by=inquiry.asked_by, now=now, detail=detail)


@transaction.atomic
def carry_out(inquiry_id: int, now: dt.datetime) -> bool:
    """Does what was wished for about whom a worker had found; True if they have left by it.

    Tells nothing that was not told, so it costs no question. Raises KeyMissing.
    """
    HashGeneration.held(sealing.worker_keys())
    inquiry = Inquiry.objects.select_for_update().filter(pk=inquiry_id).first()
    if inquiry is None or not inquiry.wish:
        return False
    try:
        subscriber, suppression = _open_subject(inquiry)
    except (SealBroken, ValueError):
        # The keys were changed since. Whoever may ask can ask again.
        inquiry.settle(Answer.UNREADABLE, now)
        return False
    done = Answer.UNKNOWN
    match inquiry.wish:
        case Wish.TAKE_OFF if subscriber is not None:
            administration.take_off(subscriber, inquiry, now)
            done = Answer.TAKEN_OFF
        case Wish.FORGET if subscriber is not None:
            administration.forget(subscriber, inquiry, now)
            done = Answer.FORGOTTEN
        case Wish.LIFT if suppression is not None:
            administration.lift_suppression(suppression, inquiry, now)
            done = Answer.LIFTED
    inquiry.settle(done, now)
    return done != Answer.UNKNOWN


def _seal_subject(
    inquiry: Inquiry, subscriber: Subscriber | None, suppression: Suppression | None
) -> bytes:
    """Which rows it is about, for a worker alone. Of one length. Raises KeyMissing."""
    ids = [one.pk if one is not None else 0 for one in (subscriber, suppression)]
    return sealing.seal_intake(b"%020d %020d" % tuple(ids), subject_purpose(inquiry))


def _open_subject(inquiry: Inquiry) -> tuple[Subscriber | None, Suppression | None]:
    """Raises SealBroken, ValueError, KeyMissing."""
    keys = sealing.worker_keys()
    opened = keys.open_intake(bytes(inquiry.sealed_subject), subject_purpose(inquiry))
    subscriber, suppression = map(int, opened.split())
    return (
        Subscriber.objects.filter(pk=subscriber).first(),
        Suppression.objects.filter(pk=suppression).first(),
    )


def subject_purpose(inquiry: Inquiry) -> str:
    """What it is sealed for: its question, so that it opens in no other."""
    return f"{PURPOSE} {inquiry.pk}"
