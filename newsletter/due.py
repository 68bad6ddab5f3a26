"""What the beat's tick finds to be done. The database is the queue: a lost task is a delay."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

from newsletter import mailing as mailings
from newsletter.models import Delivery, Lane, Mailing, SignUp, Subscriber
from newsletter.sending import ledger

AT_ONCE = 500
"""Sign-ups and confirmations that one tick hands out; the next tick sees the rest."""


@dataclass(frozen=True)
class Due:
    """Ids only, for an entry point to enqueue."""

    lanes: list[tuple[int, int]]
    sign_ups: list[int]
    confirmations: list[int]


def settle_and_launch(now: dt.datetime) -> Due:
    """Settles what dead lanes left, launches what is due, and says what workers should do."""
    ledger.sweep(now)
    mailings.launch_due(now)
    lanes = []
    for mailing in Mailing.objects.sending():
        if not mailings.finish_if_done(mailing, now):
            lanes += free_slots(mailing, now)
    confirmations = Subscriber.objects.awaiting_confirmation_mail(now)
    return Due(
        lanes=lanes,
        sign_ups=list(SignUp.objects.values_list("pk", flat=True)[:AT_ONCE]),
        confirmations=list(confirmations.values_list("pk", flat=True)[:AT_ONCE]),
    )


def free_slots(mailing: Mailing, now: dt.datetime) -> list[tuple[int, int]]:
    """The mailing's slots without a lane, if there is anything for one to do."""
    if not Delivery.objects.of_mailing(mailing).to_send(now).exists():
        return []
    taken = set(Lane.objects.filter(mailing=mailing).values_list("slot", flat=True))
    return [(mailing.pk, slot) for slot in range(settings.LANES) if slot not in taken]
