"""Transactional mail: confirmation, welcome, link to the preferences.

Through the same relays, SMTP client, limits, reply classifier and return path as letters. At least
once: a row of the outbox is leased, and due again when the lease expires after a crash. A second
copy does no harm, a lost confirmation loses a subscriber.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from keys import sealing, tokens
from keys.sealing import DecryptionError, KeyNotFound, WorkerKeys
from keys.tokens import TokenKind
from newsletter import mime
from newsletter.campaigns import messages
from newsletter.delivery import shutdown
from newsletter.delivery.ledger import GIVE_UP_AFTER, retry_delay
from newsletter.delivery.reply_classifier import Outcome, Reply, is_mailbox_gone
from newsletter.delivery.smtp.client import Envelope
from newsletter.delivery.smtp.exchange import FailoverSender, NoRelayAvailable
from newsletter.mime import InvalidLetter
from newsletter.models import MailKind, OutboxMail, Quota, Subscriber, SubscriberStatus
from newsletter.models.quotas import DAY, OVERFULL, window_start
from newsletter.subscribers import confirmation_limits

logger = logging.getLogger(__name__)

BATCH_SIZE = 50
"""Mails per task, so that nothing else in its queue waits long."""
RECONNECT_DELAY = dt.timedelta(minutes=1)

Clock = Callable[[], dt.datetime]


def send_due(clock: Clock, most: int = BATCH_SIZE) -> bool:
    """Sends the mails that are due; True if there may be more. Raises KeyNotFound."""
    keys = sealing.worker_keys()
    mails = list(OutboxMail.objects.due(clock()).order_by("due_at")[:most])
    with FailoverSender(clock) as exchange:
        for mail in mails:
            if shutdown.is_requested():
                return False
            try:
                send(mail, exchange, keys, clock())
            except NoRelayAvailable as error:
                logger.warning("No transactional mail can be sent now: %s.", error)
                return False
    return len(mails) == most


def send(mail: OutboxMail, exchange: FailoverSender, keys: WorkerKeys, now: dt.datetime) -> bool:
    """Sends one that is due; True if a relay accepted it. Raises NoRelayAvailable."""
    if not mail.claim(now):
        return False
    subscriber = Subscriber.objects.select_related("edition").filter(pk=mail.subscriber_id).first()
    if subscriber is None:
        # Deleted meanwhile, and the mail with it.
        return False
    try:
        address = subscriber.address(keys)
    except (DecryptionError, KeyNotFound) as error:
        logger.error("Subscriber %s cannot be opened: %s", subscriber.pk, error)
        _postpone(mail, now)
        return False
    if mail.kind != MailKind.CONFIRMATION:
        return _send(mail, subscriber, address, exchange, now)
    limits = confirmation_limits.limits_for(address, keys, now)
    reached = confirmation_limits.spend(limits)
    if reached is not None:
        _hold(mail, reached.opens_at, now)
        return False
    has_left = False
    try:
        has_left = _send(mail, subscriber, address, exchange, now)
    finally:
        if not has_left:
            confirmation_limits.refund(limits)
    return has_left


def _hold(mail: OutboxMail, opens_at: dt.datetime | None, now: dt.datetime) -> None:
    """Postponed until the limit allows it; given up if it never will."""
    if opens_at is not None:
        mail.postpone_until(opens_at)
    elif mail.remove():
        Quota.count_more(OVERFULL, window_start(now, DAY), 1)


def _send(
    mail: OutboxMail,
    subscriber: Subscriber,
    address: str,
    exchange: FailoverSender,
    now: dt.datetime,
) -> bool:
    token = tokens.make_token(TokenKind.SINGLE_MAIL, subscriber.pk, mail.created_timestamp)
    sender = messages.sender_of(subscriber.edition, subscriber.variant)
    try:
        rendered = messages.transactional_mail(mail, subscriber, now)
        written = mime.transactional_mail(rendered, sender, address, token, now)
        outcome, reply = exchange.deliver(
            Envelope(f"b-{token}@{settings.BOUNCE_DOMAIN}", address), written, subscriber.provider
        )
    except InvalidLetter as error:
        logger.error("%s cannot be written: %s", mail, error)
        _postpone(mail, now)
        return False
    except NoRelayAvailable:
        _postpone(mail, now, RECONNECT_DELAY)
        raise
    if outcome is Outcome.SENT:
        _record_sent(mail, now)
        return True
    if outcome is Outcome.GONE:
        logger.warning("%s was rejected (%s): it is given up.", mail, reply)
        _record_gone(mail, subscriber, reply, now)
    else:
        logger.warning("%s was rejected (%s).", mail, reply)
        _postpone(mail, now)
    return False


def _record_sent(mail: OutboxMail, now: dt.datetime) -> None:
    with transaction.atomic():
        if mail.remove() and mail.kind == MailKind.CONFIRMATION:
            Subscriber.objects.filter(pk=mail.subscriber_id).update(confirmation_sent_at=now)


def _record_gone(mail: OutboxMail, subscriber: Subscriber, reply: Reply, now: dt.datetime) -> None:
    """Given up. A pending subscriber has no subscription that could end."""
    with transaction.atomic():
        mail.remove()
        if is_mailbox_gone(reply) and subscriber.status == SubscriberStatus.ACTIVE:
            subscriber.end(SubscriberStatus.BOUNCED, now)


def _postpone(mail: OutboxMail, now: dt.datetime, delay: dt.timedelta | None = None) -> None:
    """Postponed, by default with backoff; given up GIVE_UP_AFTER the first time."""
    if mail.deferred_since is not None and now - mail.deferred_since >= GIVE_UP_AFTER:
        logger.warning("%s is given up.", mail)
        mail.remove()
    elif delay is not None:
        mail.postpone(delay, now)
    else:
        mail.postpone(retry_delay(mail.attempts + 1), now, attempts=1)
