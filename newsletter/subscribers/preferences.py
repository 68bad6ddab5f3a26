"""What a subscriber does on the preferences page, behind a mailed link that works for an hour."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from keys import tokens
from keys.tokens import TokenKind
from newsletter.models import Edition, Subscriber, SubscriberStatus, VariantKind
from newsletter.subscribers.sign_up import ExpiredLink


def find_by_preferences_token(token: str, now: dt.datetime) -> Subscriber:
    """Raises InvalidToken; ExpiredLink after the hour, or once the subscriber is not active."""
    row, expires_at = tokens.read_token(TokenKind.PREFERENCES, token)
    if now.timestamp() > expires_at:
        raise ExpiredLink
    found = Subscriber.objects.active().select_related("edition").filter(pk=row).first()
    if found is None:
        raise ExpiredLink
    return found


def initial_preferences(subscriber: Subscriber) -> dict[str, Any]:
    """The form's initial values."""
    return {
        "edition": subscriber.edition.code,
        "discreet": subscriber.variant == VariantKind.DISCREET,
        "language": subscriber.language,
    }


def update_preferences(
    subscriber: Subscriber, *, edition: Edition, variant: str, language: str
) -> None:
    """Applies from the next digest on: rows in the ledger stay as they are."""
    subscriber.edition, subscriber.variant = edition, variant
    subscriber.language = language
    # Their own choice now: undoing the import does not remove them.
    subscriber.came_by = None
    # Not the whole row: a concurrent unsubscribe must not be overwritten.
    subscriber.save(update_fields=["edition", "variant", "language", "came_by"])


@transaction.atomic
def unsubscribe_by_preferences_token(token: str, now: dt.datetime) -> bool:
    """As the link in a letter does. Raises InvalidToken, ExpiredLink."""
    return find_by_preferences_token(token, now).end(SubscriberStatus.UNSUBSCRIBED, now)


@transaction.atomic
def forget_by_preferences_token(token: str, now: dt.datetime) -> None:
    """Deletes the row and any suppression. Raises InvalidToken, ExpiredLink."""
    find_by_preferences_token(token, now).forget(now)
