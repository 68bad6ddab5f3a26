"""What the beat's tick finds to be done. The database is the queue: a lost task is a delay."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from keys import sealing
from keys.sealing import KeyMissing
from newsletter.campaigns import lifecycle as mailings
from newsletter.campaigns import signing
from newsletter.delivery import ledger
from newsletter.models import (
    Delivery,
    Import,
    Inquiry,
    Lane,
    Mailing,
    MailingStatus,
    Manner,
    OutboxMail,
    SignUp,
    WorkerQuota,
)
from newsletter.models.mailings import HAS_BEGUN
from newsletter.models.quotas import CONFIRMATIONS, HOUR, window_start
from newsletter.subscribers import departures
from newsletter.subscribers.departures import JournalBroken

logger = logging.getLogger(__name__)

AT_ONCE = 500
"""Sign-ups and rows of each kind that one tick hands out; the next tick sees the rest."""
FAST_ONES_WAIT = dt.timedelta(minutes=10)
"""Sign-ups that came faster than people type."""


@dataclass(frozen=True)
class Due:
    """What there is to do, by ids, for an entry point to enqueue."""

    lanes: list[tuple[int, int]]
    sign_ups: list[int]
    single_mails: int
    inquiries: list[int]
    imports: list[int]


def settle_and_launch(now: dt.datetime) -> Due:
    """Settles what dead lanes left, launches what is due, and says what workers should do."""
    ledger.sweep(now)
    keep_the_journal()
    sign_letters()
    mailings.launch_due(now)
    lanes = []
    for mailing in _with_letters_to_send():
        if not mailings.finish_if_done(mailing, now):
            lanes += free_slots(mailing, now)
    return Due(
        lanes=lanes,
        sign_ups=sign_ups(now),
        single_mails=OutboxMail.objects.due(now).count(),
        inquiries=_first_ids(Inquiry.objects.to_work_on()),
        imports=_first_ids(Import.objects.to_work_on(now)),
    )


def keep_the_journal() -> None:
    """Hears of departures that a restored backup does not know, and writes down new ones.

    Where the worker's key is: the journal lies there, and nowhere else.
    """
    if settings.WORKER_KEY_FILE is None:
        return
    try:
        departures.catch_up()
        departures.write_down()
    except (JournalBroken, OSError) as error:
        logger.error("The journal of departures cannot be kept: %s", error)


def sign_letters() -> None:
    """Signs the letters that wait, where the worker's key is."""
    if settings.WORKER_KEY_FILE is None:
        return
    try:
        signing.hold_what_differs(sealing.worker_keys())
    except KeyMissing as error:
        logger.error("Letters cannot be signed: %s", error)


def _with_letters_to_send() -> Iterable[Mailing]:
    """Those being sent, and those that late readers wait for."""
    late = Delivery.objects.to_late_readers().still_to_send().filter(mailing__status__in=HAS_BEGUN)
    return Mailing.objects.filter(
        Q(status=MailingStatus.SENDING) | Q(pk__in=late.values("mailing"))
    )


def sign_ups(now: dt.datetime, most: int = AT_ONCE) -> list[int]:
    """Those that came too fast get what is left of half the hour's confirmations."""
    waiting = _first_ids(SignUp.objects.exclude(manner=Manner.FAST), most)
    fast = SignUp.objects.filter(manner=Manner.FAST, arrived_at__lte=now - FAST_ONES_WAIT)
    room = most - len(waiting)
    if room and fast.exists():
        spent = WorkerQuota.spent(CONFIRMATIONS, window_start(now, HOUR))
        spent += OutboxMail.objects.confirmations().count()
        left = max(settings.CONFIRMATIONS_PER_HOUR // 2 - spent, 0)
        waiting += _first_ids(fast, min(left, room))
    return waiting


def _first_ids(rows: QuerySet[Any], most: int = AT_ONCE) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:most])


def free_slots(mailing: Mailing, now: dt.datetime) -> list[tuple[int, int]]:
    """The mailing's slots without a lane, if there is anything for one to do."""
    if not Delivery.objects.of_mailing(mailing).to_send(now).exists():
        return []
    taken = set(Lane.objects.filter(mailing=mailing).values_list("slot", flat=True))
    return [(mailing.pk, slot) for slot in range(settings.LANES) if slot not in taken]
