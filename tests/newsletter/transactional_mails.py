"""Sends transactional mails that are due, one at a time."""

from __future__ import annotations

import datetime as dt

from keys import sealing
from newsletter.delivery import transactional
from newsletter.delivery.smtp.exchange import FailoverSender, NoRelayAvailable
from newsletter.models import MailKind, OutboxMail, Subscriber


def send_confirmation(subscriber: int, now: dt.datetime) -> bool:
    """False if none is due, or no relay accepted it."""
    return _send(subscriber, MailKind.CONFIRMATION, now)


def send_welcome(subscriber: int, now: dt.datetime) -> bool:
    return _send(subscriber, MailKind.WELCOME, now)


def send_preferences_link(subscriber: int, now: dt.datetime) -> bool:
    return _send(subscriber, MailKind.PREFERENCES, now)


def put(subscriber: int, now: dt.datetime, *kinds: MailKind) -> None:
    """Makes these kinds due."""
    for kind in kinds:
        OutboxMail.objects.enqueue(Subscriber(pk=subscriber), kind, now)


def waiting(kind: MailKind, now: dt.datetime) -> list[int]:
    """The subscribers to whom a mail of this kind is due."""
    due = OutboxMail.objects.due(now).filter(kind=kind)
    return list(due.order_by("due_at").values_list("subscriber", flat=True))


def _send(subscriber: int, kind: MailKind, now: dt.datetime) -> bool:
    mail = OutboxMail.objects.due(now).filter(subscriber=subscriber, kind=kind).first()
    if mail is None:
        return False
    with FailoverSender(lambda: now) as exchange:
        try:
            return transactional.send(mail, exchange, sealing.worker_keys(), now)
        except NoRelayAvailable:
            return False
