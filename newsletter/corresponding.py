"""Single mails to one reader: confirm, welcome, the link to the preferences.

At least once: a mail is due on the subscriber's row, a worker takes a lease on it, and what a
crash leaves behind is due again when the lease is over. A second copy does no harm, a lost
confirmation loses a reader.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from smtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPServerDisconnected,
)

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from newsletter import confirmation_limits, messages
from newsletter.models import Spending, Subscriber
from newsletter.models.spending import DAY, OVERFULL, window_start
from newsletter.models.subscribers import SubscriberQuerySet
from newsletter.relaying import causes, choosing, limits
from newsroom import sealing
from newsroom.relays import Relay
from newsroom.sealing import SealBroken

logger = logging.getLogger(__name__)

LEASE = dt.timedelta(minutes=5)
"""How long another worker leaves a mail alone that one has begun to send."""
GIVE_UP_AFTER = dt.timedelta(days=2)

NO_WAY_IN = (
    SMTPServerDisconnected,
    SMTPConnectError,
    SMTPHeloError,
    SMTPAuthenticationError,
    SMTPNotSupportedError,
)
"""What may be the relay's fault alone, so that another one is worth a try."""

Compose = Callable[[Subscriber, str], EmailMultiAlternatives]


@dataclass(frozen=True)
class Occasion:
    """Why somebody is written to, and which columns of their row say so."""

    name: str
    awaiting: Callable[[SubscriberQuerySet, dt.datetime], SubscriberQuerySet]
    due: str
    since: str
    """From when on a relay's refusals are borne with, for two days."""
    sent: str = ""


CONFIRMATION = Occasion(
    "A confirmation",
    SubscriberQuerySet.awaiting_confirmation_mail,
    due="confirmation_due_at",
    since="signed_up_at",
    sent="confirmation_sent_at",
)
WELCOME = Occasion(
    "A welcome", SubscriberQuerySet.awaiting_welcome, due="welcome_due_at", since="confirmed_at"
)
PREFERENCES = Occasion(
    "A link to preferences",
    SubscriberQuerySet.awaiting_preferences_mail,
    due="preferences_due_at",
    since="preferences_asked_at",
)


def send_confirmation(subscriber_id: int, now: dt.datetime) -> bool:
    """Sends a confirmation that is due; False if there is none, or the relay did not take it.

    Past a limit it waits for the next hour, or is given up. Raises KeyMissing.
    """
    keys = sealing.worker_keys()
    due = CONFIRMATION.awaiting(_all(), now).filter(pk=subscriber_id)
    subscriber = due.first()
    if subscriber is None:
        return False
    try:
        limits = confirmation_limits.of(subscriber.address(keys), keys, now)
    except SealBroken:
        logger.error("Subscriber %s cannot be opened with our keys.", subscriber_id)
        return False
    reached = confirmation_limits.spend(limits)
    if reached is not None:
        held = due.update(confirmation_due_at=reached.opens_at)
        if held and reached.opens_at is None:
            Spending.count_more(OVERFULL, window_start(now, DAY), held)
        return False
    sent = _send(CONFIRMATION, subscriber_id, now, messages.confirmation)
    if not sent:
        confirmation_limits.give_back(limits)
    return sent


def send_welcome(subscriber_id: int, now: dt.datetime) -> bool:
    """To who confirmed when there was no digest to send at once. Raises KeyMissing."""
    return _send(WELCOME, subscriber_id, now, partial(messages.welcome, now=now))


def send_preferences_link(subscriber_id: int, now: dt.datetime) -> bool:
    """To whoever asked for it in a letter. Raises KeyMissing."""
    return _send(PREFERENCES, subscriber_id, now, partial(messages.preferences, now=now))


def _all() -> SubscriberQuerySet:
    return Subscriber.objects.all()


def _send(occasion: Occasion, subscriber_id: int, now: dt.datetime, compose: Compose) -> bool:
    keys = sealing.worker_keys()
    lease = now + LEASE
    waiting_since = _all().filter(pk=subscriber_id).values_list(occasion.since, flat=True).first()
    due = occasion.awaiting(_all(), now).filter(pk=subscriber_id)
    if not due.update(**{occasion.due: lease}):
        return False
    subscriber = Subscriber.objects.select_related("edition").get(pk=subscriber_id)
    # Whoever has left, or come back, meanwhile has another time here, or none.
    mine = _all().filter(pk=subscriber_id, **{occasion.due: lease})
    try:
        message = compose(subscriber, subscriber.address(keys))
        _hand_over(message, subscriber.provider, now)
    except SealBroken:
        logger.error("Subscriber %s cannot be opened with our keys.", subscriber_id)
        return False
    except (OSError, SMTPException) as error:
        hopeless = _is_hopeless(error) or (
            waiting_since is not None and now - waiting_since >= GIVE_UP_AFTER
        )
        if hopeless:
            mine.update(**{occasion.due: None})
        # Its text may quote the address; its class does not.
        logger.warning(
            "%s was not taken (%s); %s.",
            occasion.name,
            type(error).__name__,
            "it is given up" if hopeless else "it is tried again",
        )
        return False
    mine.update(**{occasion.due: None}, **({occasion.sent: now} if occasion.sent else {}))
    return True


def _hand_over(message: EmailMultiAlternatives, provider: str, now: dt.datetime) -> None:
    """By the first relay that can be used; limits count it, and never keep it.

    Raises OSError, of which SMTPException is one.
    """
    relays = choosing.in_order(now)
    for place, relay in enumerate(relays, start=1):
        message.connection = _backend_of(relay)
        try:
            message.send()
        except OSError as error:
            if isinstance(error, SMTPException) and not isinstance(error, NO_WAY_IN):
                raise
            refuses = isinstance(error, SMTPAuthenticationError)
            cause = causes.of(error, settings.RELAY_TIMEOUT)
            choosing.state_of(relay).fail(cause, now, refuses=refuses)
            if place == len(relays):
                raise
        else:
            choosing.state_of(relay).work(now)
            with transaction.atomic():
                limits.count(relay, Counter([provider]), now)
            return


def _backend_of(relay: Relay) -> BaseEmailBackend:
    if relay == settings.RELAYS[0]:
        return get_connection()
    if relay.is_backend:
        return get_connection(relay.host)
    return get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=relay.host,
        port=relay.port,
        username=relay.user,
        password=relay.password,
        use_tls=relay.scheme == "smtp+starttls",
        use_ssl=relay.scheme == "smtps",
        timeout=settings.RELAY_TIMEOUT,
    )


def _is_hopeless(error: Exception) -> bool:
    """The relay said for good that there is no such mailbox."""
    return isinstance(error, SMTPRecipientsRefused) and all(
        code >= 500 for code, _text in error.recipients.values()
    )
