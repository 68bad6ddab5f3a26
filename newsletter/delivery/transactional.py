"""Single mails to one subscriber: confirm, welcome, the link to the preferences.

They leave by the letters' way: the same relays, connections, limits, reply classifier and return
path. At least once: a row of the outbox is leased, and what a crash leaves behind is due again
when the lease is over. A second copy does no harm, a lost confirmation loses a subscriber.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from keys import sealing, tokens
from keys.sealing import KeyMissing, SealBroken, WorkerKeys
from keys.tokens import Kind
from newsletter import mime
from newsletter.campaigns import messages
from newsletter.delivery import shutdown
from newsletter.delivery.ledger import GIVE_UP_AFTER, wait
from newsletter.delivery.reply_classifier import Outcome, Reply, is_mailbox_gone
from newsletter.delivery.smtp.client import Envelope
from newsletter.delivery.smtp.exchange import Exchange, NoRelay
from newsletter.mime import LetterBroken
from newsletter.models import MailKind, OutboxMail, Spending, Subscriber, SubscriberStatus
from newsletter.models.quotas import DAY, OVERFULL, window_start
from newsletter.subscribers import confirmation_limits

logger = logging.getLogger(__name__)

BATCH_SIZE = 50
"""Mails of one task, so that nothing else in its queue waits long."""
RECONNECT_IN = dt.timedelta(minutes=1)

Clock = Callable[[], dt.datetime]


def send_due(clock: Clock, most: int = BATCH_SIZE) -> bool:
    """Sends the mails that are due; True if there may be more. Raises KeyMissing."""
    keys = sealing.worker_keys()
    mails = list(OutboxMail.objects.due(clock()).order_by("due_at")[:most])
    with Exchange(clock) as exchange:
        for mail in mails:
            if shutdown.is_told():
                return False
            try:
                send(mail, exchange, keys, clock())
            except NoRelay as error:
                logger.warning("No single mail leaves for now: %s.", error)
                return False
    return len(mails) == most


def send(mail: OutboxMail, exchange: Exchange, keys: WorkerKeys, now: dt.datetime) -> bool:
    """Sends one that is due; True if a relay took it. Raises NoRelay."""
    if not mail.claim(now):
        return False
    subscriber = Subscriber.objects.select_related("edition").filter(pk=mail.subscriber_id).first()
    if subscriber is None:
        # Forgotten in this moment, and the mail with them.
        return False
    try:
        address = subscriber.address(keys)
    except (SealBroken, KeyMissing) as error:
        logger.error("Subscriber %s cannot be opened: %s", subscriber.pk, error)
        _put_off(mail, now)
        return False
    if mail.kind != MailKind.CONFIRMATION:
        return _send(mail, subscriber, address, exchange, now)
    limits = confirmation_limits.of(address, keys, now)
    reached = confirmation_limits.spend(limits)
    if reached is not None:
        _hold(mail, reached.opens_at, now)
        return False
    has_left = False
    try:
        has_left = _send(mail, subscriber, address, exchange, now)
    finally:
        if not has_left:
            confirmation_limits.give_back(limits)
    return has_left


def _hold(mail: OutboxMail, opens_at: dt.datetime | None, now: dt.datetime) -> None:
    """Until the limit lets it through; given up where it never will."""
    if opens_at is not None:
        mail.hold_until(opens_at)
    elif mail.remove():
        Spending.count_more(OVERFULL, window_start(now, DAY), 1)


def _send(
    mail: OutboxMail, subscriber: Subscriber, address: str, exchange: Exchange, now: dt.datetime
) -> bool:
    token = tokens.make_token(Kind.SINGLE_MAIL, subscriber.pk, mail.second)
    sender = messages.sender_of(subscriber.edition, subscriber.variant)
    try:
        rendered = messages.single_mail(mail, subscriber, now)
        written = mime.single_mail(rendered, sender, address, token, now)
        outcome, reply = exchange.deliver(
            Envelope(f"b-{token}@{settings.BOUNCE_DOMAIN}", address), written, subscriber.provider
        )
    except LetterBroken as error:
        logger.error("%s cannot be written: %s", mail, error)
        _put_off(mail, now)
        return False
    except NoRelay:
        _put_off(mail, now, RECONNECT_IN)
        raise
    if outcome is Outcome.SENT:
        _record_sent(mail, now)
        return True
    if outcome is Outcome.GONE:
        logger.warning("%s was not taken (%s): it is given up.", mail, reply)
        _record_gone(mail, subscriber, reply, now)
    else:
        logger.warning("%s was not taken (%s).", mail, reply)
        _put_off(mail, now)
    return False


def _record_sent(mail: OutboxMail, now: dt.datetime) -> None:
    with transaction.atomic():
        if mail.remove() and mail.kind == MailKind.CONFIRMATION:
            Subscriber.objects.filter(pk=mail.subscriber_id).update(confirmation_sent_at=now)


def _record_gone(mail: OutboxMail, subscriber: Subscriber, reply: Reply, now: dt.datetime) -> None:
    """Given up. Who is not on the list yet has nothing that could end."""
    with transaction.atomic():
        mail.remove()
        if is_mailbox_gone(reply) and subscriber.status == SubscriberStatus.ACTIVE:
            subscriber.end(SubscriberStatus.BOUNCED, now)


def _put_off(mail: OutboxMail, now: dt.datetime, wait_for: dt.timedelta | None = None) -> None:
    """For so long, or ever longer; given up two days after the first time."""
    if mail.deferred_since is not None and now - mail.deferred_since >= GIVE_UP_AFTER:
        logger.warning("%s is given up.", mail)
        mail.remove()
    elif wait_for is not None:
        mail.put_off(wait_for, now)
    else:
        mail.put_off(wait(mail.attempts + 1), now, attempts=1)
