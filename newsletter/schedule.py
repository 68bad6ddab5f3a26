"""What is due each minute. The database is the queue: a lost task is only a delay."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from keys import sealing
from keys.sealing import KeyNotFound
from newsletter.campaigns import lifecycle, signing
from newsletter.delivery import ledger
from newsletter.models import (
    Delivery,
    Import,
    Lane,
    Mailing,
    MailingStatus,
    Manner,
    OutboxMail,
    SignUp,
    SubscriberLookup,
    WorkerQuota,
)
from newsletter.models.mailings import DELIVERABLE
from newsletter.models.quotas import CONFIRMATIONS, HOUR, window_start
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken

logger = logging.getLogger(__name__)

BATCH_SIZE = 500
"""Rows of each kind per run; the next run takes the rest."""
FAST_SIGN_UP_DELAY = dt.timedelta(minutes=10)
"""For sign-ups that were submitted faster than people type."""


@dataclass(frozen=True)
class DueWork:
    """Ids of what is due, for an entry point to enqueue."""

    lanes: list[tuple[int, int]]
    sign_ups: list[int]
    transactional_mails: int
    lookups: list[int]
    imports: list[int]


def run_due(now: dt.datetime) -> DueWork:
    """Reaps expired lanes, launches due mailings, and returns what workers should do."""
    ledger.reap_expired(now)
    update_departures_log()
    sign_letters()
    lifecycle.launch_due(now)
    lanes = []
    for mailing in _with_letters_to_send():
        if not lifecycle.finish_if_done(mailing, now):
            lanes += free_slots(mailing, now)
    return DueWork(
        lanes=lanes,
        sign_ups=sign_ups(now),
        transactional_mails=OutboxMail.objects.due(now).count(),
        lookups=_first_ids(SubscriberLookup.objects.awaiting_worker()),
        imports=_first_ids(Import.objects.awaiting_worker(now)),
    )


def update_departures_log() -> None:
    """Applies departures that a restored backup lacks, and appends new ones to the log.

    Only where the worker's key is: so is the log.
    """
    if settings.WORKER_KEY_FILE is None:
        return
    try:
        departures.replay_missed()
        departures.append_pending()
    except (DeparturesLogBroken, OSError) as error:
        logger.error("The departures log cannot be kept: %s", error)


def sign_letters() -> None:
    """Signs the letters of scheduled mailings, where the worker's key is."""
    if settings.WORKER_KEY_FILE is None:
        return
    try:
        signing.sign_scheduled_letters(sealing.worker_keys())
    except KeyNotFound as error:
        logger.error("Letters cannot be signed: %s", error)


def _with_letters_to_send() -> Iterable[Mailing]:
    """Those that are sending, and those with late letters."""
    late = (
        Delivery.objects.to_late_subscribers()
        .still_to_send()
        .filter(mailing__status__in=DELIVERABLE)
    )
    return Mailing.objects.filter(
        Q(status=MailingStatus.SENDING) | Q(pk__in=late.values("mailing"))
    )


def sign_ups(now: dt.datetime, most: int = BATCH_SIZE) -> list[int]:
    """Suspiciously fast ones get at most half of the hour's confirmations."""
    waiting = _first_ids(SignUp.objects.exclude(manner=Manner.FAST), most)
    fast = SignUp.objects.filter(manner=Manner.FAST, arrived_at__lte=now - FAST_SIGN_UP_DELAY)
    remaining = most - len(waiting)
    if remaining and fast.exists():
        spent = WorkerQuota.spent(CONFIRMATIONS, window_start(now, HOUR))
        spent += OutboxMail.objects.confirmations().count()
        left = max(settings.CONFIRMATIONS_PER_HOUR // 2 - spent, 0)
        waiting += _first_ids(fast, min(left, remaining))
    return waiting


def _first_ids(rows: QuerySet[Any], most: int = BATCH_SIZE) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:most])


def free_slots(mailing: Mailing, now: dt.datetime) -> list[tuple[int, int]]:
    """The mailing's slots without a lane, if anything is to be sent."""
    if not Delivery.objects.of_mailing(mailing).to_send(now).exists():
        return []
    taken = set(Lane.objects.filter(mailing=mailing).values_list("slot", flat=True))
    return [(mailing.pk, slot) for slot in range(settings.LANES) if slot not in taken]
