"""Limits of confirmation mails, so that the form cannot be used to flood other people's mailboxes.

Three limits: per hour in all, per hour and provider, per day and mailbox, however its address is
written. A worker counts where a confirmation is sent, since it alone can open an address. Providers
and mailboxes are counted by a keyed hash that changes with each window.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from keys.sealing import WorkerKeys
from newsletter.models import WorkerQuota
from newsletter.models.quotas import CONFIRMATIONS, DAY, HOUR, Limit, window_start
from newsletter.subscribers import canonical_addresses


def limits_for(address: str, keys: WorkerKeys, now: dt.datetime) -> list[Limit]:
    """The limits of a confirmation to this address, in the order in which rows are locked."""
    hour, day = window_start(now, HOUR), window_start(now, DAY)
    server = _mark(keys, "provider", hour, canonical_addresses.provider_or_domain(address))
    mailbox = _mark(keys, "mailbox", day, canonical_addresses.canonical_address(address))
    return [
        # Not put off but dropped: its owner has three links already, and may sign up tomorrow.
        Limit(mailbox, day, settings.CONFIRMATIONS_PER_MAILBOX),
        Limit(server, hour, settings.CONFIRMATIONS_PER_PROVIDER, hour + HOUR),
        Limit(CONFIRMATIONS, hour, settings.CONFIRMATIONS_PER_HOUR, hour + HOUR),
    ]


def spend(limits: list[Limit]) -> Limit | None:
    """Counts one confirmation; returns the limit that is reached, and then counts nothing."""
    return WorkerQuota.spend_each(limits)


def refund(limits: list[Limit]) -> None:
    """The confirmation was not sent after all."""
    for limit in limits:
        WorkerQuota.give_back(limit.what, limit.since)


def _mark(keys: WorkerKeys, what: str, since: dt.datetime, text: str) -> str:
    return f"{what} {keys.rate_limit_hash(f'{what} {since.isoformat()}', text).hex()}"
