"""What a reader does on the page of their own, behind a mailed link that works for an hour."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from keys import tokens
from keys.tokens import Kind
from newsletter.models import Edition, Subscriber, SubscriberStatus, VariantKind
from newsletter.subscribers.sign_up import StaleLink


def find(token: str, now: dt.datetime) -> Subscriber:
    """Whose page it is. Raises BadToken; StaleLink once the hour is over or the reader gone."""
    row, until = tokens.read_token(Kind.PREFERENCES, token)
    if now.timestamp() > until:
        raise StaleLink
    found = Subscriber.objects.active().select_related("edition").filter(pk=row).first()
    if found is None:
        raise StaleLink
    return found


def current(subscriber: Subscriber) -> dict[str, Any]:
    """As the form has it."""
    return {
        "edition": subscriber.edition.code,
        "discreet": subscriber.variant == VariantKind.DISCREET,
        "language": subscriber.language,
    }


def change(subscriber: Subscriber, *, edition: Edition, variant: str, language: str) -> None:
    """Counts from the next digest on: what is in the ledger already goes as it was."""
    subscriber.edition, subscriber.variant = edition, variant
    subscriber.language = language
    # They have made it theirs: undoing an import does not take them back.
    subscriber.came_by = None
    # Not the whole row: leaving meanwhile must stay left.
    subscriber.save(update_fields=["edition", "variant", "language", "came_by"])


@transaction.atomic
def leave(token: str, now: dt.datetime) -> bool:
    """As by a letter's link. Raises BadToken, StaleLink."""
    return find(token, now).end(SubscriberStatus.LEFT, now)


@transaction.atomic
def forget(token: str, now: dt.datetime) -> None:
    """Nothing of the reader stays in the database. Raises BadToken, StaleLink."""
    find(token, now).forget(now)
