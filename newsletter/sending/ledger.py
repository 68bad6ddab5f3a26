"""The ledger's moves. Each is one conditional UPDATE, so that a lane that has been declared
dead, or a mailing that has been paused, cannot send another letter."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from newsletter.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Lane,
    Mailing,
    Reason,
    SubscriberStatus,
)
from newsletter.models.deliveries import LONGEST_WAIT, SOFT_IN_A_ROW, TO_SEND, may_leave
from newsletter.sending.outcomes import MAILBOX_GONE, Outcome, Reply
from newsroom.clocks import is_due

GIVE_UP_AFTER = dt.timedelta(days=2)
FIRST_RETRY_IN = dt.timedelta(minutes=5)
RECONNECT_IN = dt.timedelta(seconds=30)


def lease() -> dt.timedelta:
    """How long a lane may be silent: longer than its slowest transaction, of five answers."""
    return dt.timedelta(seconds=5 * settings.RELAY_TIMEOUT + 30)


@transaction.atomic
def take_slot(mailing: Mailing, slot: int, now: dt.datetime) -> Lane | None:
    """Opens a lane; None if the slot is taken. A dead one is left to the sweep."""
    lane, created = Lane.objects.get_or_create(
        mailing=mailing, slot=slot, defaults={"started_at": now, "lease_until": now + lease()}
    )
    return lane if created else None


@transaction.atomic
def claim(lane: Lane, now: dt.datetime, limit: int) -> list[Delivery]:
    """Takes up to `limit` letters for this lane; whose reader is no longer active is excluded."""
    if not renew(lane, now):
        return []
    rows = Delivery.objects.filter(may_leave(), mailing_id=lane.mailing_id).to_send(now)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    ids = list(rows.order_by("due_at", "pk").values_list("pk", flat=True)[:limit])
    _exclude_inactive(ids, now)
    mine = Delivery.objects.filter(pk__in=ids, status__in=TO_SEND)
    mine.update(status=DeliveryStatus.CLAIMED, lane=lane.pk)
    return list(
        Delivery.objects.filter(pk__in=ids, status=DeliveryStatus.CLAIMED, lane=lane.pk)
        .select_related("subscriber")
        .order_by("due_at", "pk")
    )


def _exclude_inactive(ids: list[int], now: dt.datetime) -> None:
    Delivery.objects.filter(pk__in=ids).exclude(subscriber__status=SubscriberStatus.ACTIVE).update(
        status=DeliveryStatus.EXCLUDED, reason=Reason.NOT_ACTIVE, lane=None, settled_at=now
    )


def renew(lane: Lane, now: dt.datetime) -> bool:
    """Says that the lane is alive; False if it has been swept meanwhile."""
    return bool(Lane.objects.filter(pk=lane.pk).update(lease_until=now + lease()))


def mark_handed_over(delivery: Delivery, lane: Lane, relay: str, now: dt.datetime) -> bool:
    """Before the letter leaves. False: paused, cancelled, left or swept; do not send it."""
    return bool(mark_all_handed_over([delivery], lane, relay, now))


def mark_all_handed_over(
    deliveries: list[Delivery], lane: Lane, relay: str, now: dt.datetime
) -> set[int]:
    """Before these letters leave, one a connection; returns the ids of those that may.

    The others were paused, cancelled, swept, or their readers have left.
    """
    if not deliveries or not renew(lane, now):
        return set()
    for variant in {delivery.variant_id for delivery in deliveries}:
        Delivery.objects.filter(
            may_leave(),
            pk__in=[one.pk for one in deliveries if one.variant_id == variant],
            status=DeliveryStatus.CLAIMED,
            lane=lane.pk,
            # Frozen anew since it was claimed: the old letter must not leave.
            variant=variant,
            subscriber__status=SubscriberStatus.ACTIVE,
        ).update(
            status=DeliveryStatus.HANDED_OVER,
            handed_over_at=now,
            relay=relay,
            attempts=F("attempts") + 1,
        )
    mine = Delivery.objects.filter(
        pk__in=[one.pk for one in deliveries], status=DeliveryStatus.HANDED_OVER, lane=lane.pk
    )
    return set(mine.values_list("pk", flat=True))


@dataclass(frozen=True)
class Settled:
    """What became of one letter that a lane handed over."""

    delivery: Delivery
    status: DeliveryStatus
    reason: Reason
    reply: Reply | None = None
    due_at: dt.datetime | None = None

    @property
    def ends_subscriber(self) -> bool:
        """Only where the relay said outright that there is no such mailbox.

        A bare 550 may as well be policy (RFC 5321, 4.2.2): its letter fails, its reader stays.
        """
        is_gone = self.reason is Reason.GONE
        return is_gone and self.reply is not None and self.reply.enhanced in MAILBOX_GONE


def settle(
    delivery: Delivery, outcome: Outcome, reply: Reply, begun_at: dt.datetime, now: dt.datetime
) -> Settled:
    """What an answer means for the row, which has been tried since `begun_at`. Pure."""
    if outcome is Outcome.SENT:
        return Settled(delivery, DeliveryStatus.SENT, Reason.NONE, reply)
    if outcome is Outcome.GONE:
        return Settled(delivery, DeliveryStatus.FAILED, Reason.GONE, reply)
    if outcome is Outcome.REFUSED:
        # Nobody's fault but ours: the reader waits until a person has mended it.
        # The mailing pauses meanwhile; a letter to a late reader has no mailing that could.
        later = now + FIRST_RETRY_IN if delivery.kind == DeliveryKind.LATEST else now
        return Settled(delivery, DeliveryStatus.RETRY, Reason.REFUSED, reply, later)
    if now - begun_at >= GIVE_UP_AFTER:
        return Settled(delivery, DeliveryStatus.FAILED, Reason.TOO_OFTEN, reply)
    return Settled(
        delivery, DeliveryStatus.RETRY, Reason.LATER, reply, now + wait(delivery.attempts + 1)
    )


def wait(attempts: int) -> dt.timedelta:
    """Doubles from five minutes to four hours."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST_RETRY_IN * int(2**doublings), LONGEST_WAIT)


def lost(delivery: Delivery, *, dot_sent: bool, now: dt.datetime) -> Settled:
    """The connection broke: uncertain only once the whole letter had left. Pure."""
    if dot_sent:
        return Settled(delivery, DeliveryStatus.UNCERTAIN, Reason.CONNECTION)
    return Settled(delivery, DeliveryStatus.RETRY, Reason.CONNECTION, due_at=now + RECONNECT_IN)


def record_all(settled: list[Settled], lane: Lane, now: dt.datetime) -> None:
    """After the answers. Those that were taken in one statement for each kind of answer."""
    taken: dict[Reply, list[int]] = defaultdict(list)
    for one in settled:
        if one.status is DeliveryStatus.SENT and one.reply is not None:
            taken[one.reply].append(one.delivery.pk)
        else:
            record(one, lane, now)
    for reply, ids in taken.items():
        _answered(lane, ids).update(
            status=DeliveryStatus.SENT,
            reason=Reason.NONE,
            reply_code=reply.code,
            enhanced_code=reply.enhanced,
            settled_at=now,
            lane=None,
        )


def _answered(lane: Lane, ids: list[int]) -> QuerySet[Delivery]:
    """A sweep may have called them uncertain meanwhile: the answer knows better."""
    return Delivery.objects.filter(
        pk__in=ids,
        lane=lane.pk,
        status__in=[DeliveryStatus.HANDED_OVER, DeliveryStatus.UNCERTAIN],
    )


def record(settled: Settled, lane: Lane, now: dt.datetime) -> bool:
    """After the answer. A mailbox that is gone ends its subscriber in the same transaction."""
    delivery, over = settled.delivery, settled.status is not DeliveryStatus.RETRY
    with transaction.atomic():
        changed = _answered(lane, [delivery.pk]).update(
            status=settled.status,
            reason=settled.reason,
            reply_code=settled.reply.code if settled.reply else None,
            enhanced_code=settled.reply.enhanced if settled.reply else "",
            settled_at=now if over else None,
            due_at=settled.due_at or delivery.due_at,
            # An uncertain one keeps its lane, whose late answer may still settle it.
            lane=lane.pk if settled.status is DeliveryStatus.UNCERTAIN else None,
        )
        if changed and delivery.subscriber is not None and _ends_subscriber(settled):
            delivery.subscriber.end(SubscriberStatus.BOUNCED, now)
    return bool(changed)


def _ends_subscriber(settled: Settled) -> bool:
    if settled.reason is Reason.TOO_OFTEN:
        return settled.delivery.soft_bounces_in_a_row() >= SOFT_IN_A_ROW
    return settled.ends_subscriber


def fail_unsendable(delivery: Delivery, lane: Lane, now: dt.datetime) -> None:
    """Its address cannot be opened: the letter fails, before anything was handed over."""
    Delivery.objects.filter(pk=delivery.pk, lane=lane.pk, status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.FAILED, reason=Reason.UNSENDABLE, lane=None, settled_at=now
    )


@transaction.atomic
def close_lane(lane: Lane, now: dt.datetime) -> None:
    """Gives back what was claimed and not handed over."""
    mine = Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.CLAIMED)
    _exclude_inactive(list(mine.values_list("pk", flat=True)), now)
    Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.PENDING, lane=None
    )
    Lane.objects.filter(pk=lane.pk).delete()


@transaction.atomic
def sweep(now: dt.datetime) -> tuple[int, int]:
    """Settles what dead lanes left: claimed goes back, handed over becomes uncertain.

    Returns the numbers of both.
    """
    dead = list(
        Lane.objects.select_for_update()
        .filter(is_due("lease_until", now, lease()))
        .values_list("pk", flat=True)
    )
    left = Delivery.objects.filter(lane__in=dead)
    back = left.filter(status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.PENDING, lane=None
    )
    uncertain = left.filter(status=DeliveryStatus.HANDED_OVER).update(
        status=DeliveryStatus.UNCERTAIN, reason=Reason.LANE_DIED, settled_at=now
    )
    Lane.objects.filter(pk__in=dead).delete()
    return back, uncertain
