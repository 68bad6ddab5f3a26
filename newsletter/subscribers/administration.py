"""What a manager does about one subscriber, who wrote to the newsroom. Each is written down.

A worker does it, about whom it has found: the audit names the question, never a row of the list.
"""

from __future__ import annotations

import datetime as dt

from newsletter.models import Inquiry, Subscriber, SubscriberStatus, Suppression
from staff.audit import record
from staff.models import AuditAction


def take_off(subscriber: Subscriber, inquiry: Inquiry, now: dt.datetime) -> bool:
    """As if they had left by a letter's link; False if they had. Within a transaction."""
    ended = subscriber.end(SubscriberStatus.LEFT, now)
    if ended:
        record(AuditAction.REMOVED, inquiry, by=inquiry.asked_by, now=now)
    return ended


def forget(subscriber: Subscriber, inquiry: Inquiry, now: dt.datetime) -> None:
    """As if they had asked for it on the page of their own. Within a transaction."""
    record(AuditAction.FORGOT, inquiry, by=inquiry.asked_by, now=now)
    subscriber.forget(now)


def lift_suppression(suppression: Suppression, inquiry: Inquiry, now: dt.datetime) -> bool:
    """They may come back by a sign-up of their own. Within a transaction."""
    lifted = Suppression.objects.lift(bytes(suppression.address_hash), now)
    record(AuditAction.LIFTED, inquiry, by=inquiry.asked_by, now=now)
    return lifted
