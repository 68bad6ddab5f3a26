"""How many are asked to confirm, so that nobody makes us flood other people's mailboxes.

Three limits: an hour's of all, an hour's of one provider, a day's of one mailbox, however its
address is written. Counted where a confirmation leaves, by a worker, which alone can open an
address; a provider and a mailbox by a hash under a key of that window, which names nobody.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from keys.sealing import WorkerKeys
from newsletter.models import WorkerQuota
from newsletter.models.quotas import CONFIRMATIONS, DAY, HOUR, Limit, window_start
from newsletter.subscribers import canonical_addresses


def of(address: str, keys: WorkerKeys, now: dt.datetime) -> list[Limit]:
    """What bounds a confirmation to this address, in the order in which rows are locked."""
    hour, day = window_start(now, HOUR), window_start(now, DAY)
    server = _mark(keys, "provider", hour, canonical_addresses.server_of(address))
    mailbox = _mark(keys, "mailbox", day, canonical_addresses.canonical(address))
    return [
        # Given up: its owner has three to press already, and tomorrow the form asks again.
        Limit(mailbox, day, settings.CONFIRMATIONS_PER_MAILBOX),
        Limit(server, hour, settings.CONFIRMATIONS_PER_PROVIDER, hour + HOUR),
        Limit(CONFIRMATIONS, hour, settings.CONFIRMATIONS_PER_HOUR, hour + HOUR),
    ]


def spend(limits: list[Limit]) -> Limit | None:
    """Counts one confirmation; else the limit that is reached, and nothing is counted."""
    return WorkerQuota.spend_each(limits)


def give_back(limits: list[Limit]) -> None:
    """It has not left after all."""
    for limit in limits:
        WorkerQuota.give_back(limit.what, limit.since)


def _mark(keys: WorkerKeys, what: str, since: dt.datetime, text: str) -> str:
    return f"{what} {keys.counting_mark(f'{what} {since.isoformat()}', text).hex()}"
