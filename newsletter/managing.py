"""What a manager does about one reader, who wrote to the newsroom. Each is written down."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from newsletter.models import Inquiry, Subscriber, SubscriberStatus, Suppression
from staff.audit import record
from staff.models import AuditAction


@transaction.atomic
def take_off(subscriber: Subscriber, by: Any, now: dt.datetime) -> bool:
    """As if they had left by a letter's link; False if they had."""
    ended = subscriber.end(SubscriberStatus.LEFT, now)
    if ended:
        record(AuditAction.REMOVED, subscriber, by=by, now=now)
    return ended


@transaction.atomic
def forget(subscriber: Subscriber, by: Any, now: dt.datetime) -> None:
    """As if they had asked for it on the page of their own."""
    record(AuditAction.FORGOT, subscriber, by=by, now=now)
    subscriber.forget(now)


@transaction.atomic
def lift_suppression(inquiry: Inquiry, by: Any, now: dt.datetime) -> bool:
    """They may come back by a sign-up of their own. False if nothing stands in the way."""
    if inquiry.suppression_id is None:
        return False
    # As it is now: it may have been lifted or hashed anew since the page was opened.
    rows = Suppression.objects.select_for_update().filter(pk=inquiry.suppression_id)
    suppression = rows.first()
    if suppression is None:
        return False
    lifted = Suppression.objects.lift(bytes(suppression.address_hash), now)
    record(AuditAction.LIFTED, inquiry, by=by, now=now)
    return lifted
