"""Is this person on the list? Asked by one who may, answered by a worker, written down."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from newsletter import addresses
from newsletter.models import Answer, HashGeneration, Inquiry, Spending, Subscriber, Suppression
from newsletter.models.spending import DAY, window_start
from newsroom import sealing
from newsroom.sealing import SealBroken
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

PURPOSE = "inquiry"


class TooManyQuestions(Exception):
    """The day's questions are used up."""


@transaction.atomic
def ask(typed: str, by: Any, now: dt.datetime) -> Inquiry:
    """Seals the question for a worker. Raises InvalidAddress, TooManyQuestions, KeyMissing."""
    address = sealing.padded(addresses.normalise(typed))
    most = settings.LIST_QUESTIONS_PER_DAY
    if not Spending.spend(f"questions of {by.pk}", window_start(now, DAY), most):
        raise TooManyQuestions(
            _("You have asked about %(count)s people today. Ask again tomorrow.") % {"count": most}
        )
    sealed = sealing.seal_intake(address, PURPOSE)
    inquiry = Inquiry.objects.create(asked_by=by, asked_at=now, sealed_address=sealed)
    record(AuditAction.ASKED, inquiry, by=by, now=now)
    return inquiry


@transaction.atomic
def answer(inquiry_id: int, now: dt.datetime) -> None:
    """Opens the question, finds the row, forgets the address. Safe to repeat. Raises KeyMissing."""
    keys = sealing.worker_keys()
    generation = HashGeneration.held(keys)
    inquiry = Inquiry.objects.select_for_update().filter(pk=inquiry_id).first()
    if inquiry is None or inquiry.answer:
        return
    try:
        address = sealing.unpadded(keys.open_intake(bytes(inquiry.sealed_address), PURPOSE))
    except SealBroken:
        logger.error("Question %s was sealed with a foreign key.", inquiry.pk)
        inquiry.settle(Answer.UNREADABLE, now)
        return
    address_hash = keys.hash_address(address, generation)
    subscriber = Subscriber.objects.filter(address_hash=address_hash).first()
    suppression = Suppression.objects.filter(address_hash=address_hash).first()
    if subscriber is not None:
        inquiry.settle(Answer.KNOWN, now, subscriber, suppression)
    elif suppression is not None:
        inquiry.settle(Answer.SUPPRESSED, now, suppression=suppression)
    else:
        inquiry.settle(Answer.UNKNOWN, now)
