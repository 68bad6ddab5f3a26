"""What a manager does about one subscriber who wrote to the newsroom. Each action is audited.

A worker does it. The audit names the lookup, never a row of the list. Each function runs within
a transaction.
"""

from __future__ import annotations

import datetime as dt

from newsletter.models import Subscriber, SubscriberLookup, SubscriberStatus, Suppression
from staff.audit import record
from staff.models import AuditAction


def unsubscribe_for_manager(
    subscriber: Subscriber, inquiry: SubscriberLookup, now: dt.datetime
) -> bool:
    """As the link in a letter does; False if they had unsubscribed already."""
    ended = subscriber.end(SubscriberStatus.UNSUBSCRIBED, now)
    if ended:
        record(AuditAction.REMOVED, inquiry, by=inquiry.asked_by, now=now)
    return ended


def forget_for_manager(subscriber: Subscriber, inquiry: SubscriberLookup, now: dt.datetime) -> None:
    """As the subscriber's own preferences page does."""
    record(AuditAction.FORGOT, inquiry, by=inquiry.asked_by, now=now)
    subscriber.forget(now)


def lift_suppression_for_manager(
    suppression: Suppression, inquiry: SubscriberLookup, now: dt.datetime
) -> bool:
    """They may come back by their own sign-up."""
    lifted = Suppression.objects.lift(bytes(suppression.address_hash), now)
    record(AuditAction.LIFTED, inquiry, by=inquiry.asked_by, now=now)
    return lifted
