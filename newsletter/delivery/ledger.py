"""The ledger's moves. Each is one conditional UPDATE, so that a lane that has been declared
dead, or a mailing that has been paused, cannot send another letter."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Count, F, IntegerField, QuerySet, Value, When

from newsletter.campaigns.latest_issue import is_current
from newsletter.delivery.relays import failover, limits
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply, is_mailbox_gone
from newsletter.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Lane,
    Mailing,
    MailingStatus,
    Reason,
    SubscriberStatus,
)
from newsletter.models.deliveries import (
    IN_FLIGHT,
    LONGEST_WAIT,
    SOFT_IN_A_ROW,
    may_leave,
    newest_revision,
)
from newsletter.models.due import is_due

GIVE_UP_AFTER = dt.timedelta(days=2)
FIRST_RETRY_IN = dt.timedelta(minutes=5)
RECONNECT_IN = dt.timedelta(seconds=30)


def lease() -> dt.timedelta:
    """How long a lane may be silent: longer than its slowest transaction, of five answers."""
    return dt.timedelta(seconds=5 * settings.RELAY_TIMEOUT + 30)


@transaction.atomic
def take_slot(mailing: Mailing, slot: int, now: dt.datetime) -> Lane | None:
    """Opens a lane; None if the slot is taken, or no relay has room. The sweep ends a dead one."""
    # Whoever is pausing the mailing just now waits for the lanes that they see.
    Mailing.objects.select_for_update(no_key=True).get(pk=mailing.pk)
    chosen = failover.choose(now)
    if chosen is None:
        return None
    lane, created = Lane.objects.get_or_create(
        mailing=mailing,
        slot=slot,
        defaults={
            "started_at": now,
            "lease_until": now + lease(),
            "relay": str(chosen.relay),
            "connections": chosen.connections,
        },
    )
    return lane if created else None


class Claimed(NamedTuple):
    """A letter that a lane has claimed: of its row and its reader's what the lane needs."""

    pk: int
    kind: str
    attempts: int
    provider: str
    deferred_since: dt.datetime | None
    subscriber: int | None
    sealed_address: bytes
    key_generation: int


CLAIMED_COLUMNS = (
    "pk",
    "kind",
    "attempts",
    "provider",
    "deferred_since",
    "subscriber",
    "subscriber__sealed_address",
    "subscriber__key_generation",
)


@dataclass(frozen=True)
class Batch:
    """What a lane may send next."""

    letters: list[Claimed]
    ask_again_at: dt.datetime | None = None
    """When limits may let more through. Without letters and this there is nothing left."""


@transaction.atomic
def claim(lane: Lane, relay: Relay, now: dt.datetime, limit: int) -> Batch:
    """Takes up to `limit` letters for this lane, fewer where the limits say so.

    Whose reader is no longer active is excluded.
    """
    if not renew(lane, now):
        return Batch([])
    due = Delivery.objects.filter(may_leave(), mailing_id=lane.mailing_id).to_send(now)
    room = limits.room(relay, limit, now)
    found = _find(due, room)
    active: list[Claimed] = []
    gone: list[Claimed] = []
    for status, *row in found:
        letter = Claimed(*row)
        (active if status == SubscriberStatus.ACTIVE else gone).append(letter)
    _rows(gone).update(
        status=DeliveryStatus.EXCLUDED, reason=Reason.NOT_ACTIVE, lane=None, settled_at=now
    )
    _rows(active).update(status=DeliveryStatus.CLAIMED, lane=lane.pk)
    limits.count(relay, Counter(letter.provider for letter in active), now)
    if found:
        return Batch(active, room.ask_again_at)
    held_back = due.filter(provider__in=room.full) if room.most else due
    return Batch([], room.opens_at if room.opens_at and held_back.exists() else None)


def _find(due: QuerySet[Delivery], room: limits.Room) -> list[tuple[Any, ...]]:
    """Letters that nobody else is claiming; those first whose limit keeps them longest."""
    rows = due
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    # In no order: a million that are due at once would be sorted each time.
    columns = rows.order_by().values_list("subscriber__status", *CLAIMED_COLUMNS)
    found: list[tuple[Any, ...]] = []
    for provider, most in room.by_provider.items():
        if least := min(most, room.most - len(found)):
            found += columns.filter(provider=provider)[:least]
    if left := room.most - len(found):
        # Its own query without limits, which a plan need not weigh.
        found += (columns.exclude(provider__in=room.by_provider) if room.by_provider else columns)[
            :left
        ]
    return found


def _rows(letters: list[Claimed]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=[letter.pk for letter in letters])


def renew(lane: Lane, now: dt.datetime) -> bool:
    """Says that the lane is alive; False if it has been swept meanwhile."""
    return bool(Lane.objects.filter(pk=lane.pk).update(lease_until=now + lease()))


@dataclass(frozen=True)
class Settled:
    """What became of one letter that a lane had in its hands."""

    letter: Claimed
    status: DeliveryStatus
    reason: Reason
    reply: Reply | None = None
    due_at: dt.datetime | None = None

    @property
    def ends_subscriber(self) -> bool:
        is_gone = self.reason is Reason.GONE
        return is_gone and self.reply is not None and is_mailbox_gone(self.reply)


def settle(letter: Claimed, outcome: Outcome, reply: Reply, now: dt.datetime) -> Settled:
    """What an answer means for a letter, given now. Pure."""
    if outcome is Outcome.SENT:
        return Settled(letter, DeliveryStatus.SENT, Reason.NONE, reply)
    if outcome is Outcome.GONE:
        return Settled(letter, DeliveryStatus.FAILED, Reason.GONE, reply)
    if outcome is Outcome.REFUSED:
        # Nobody's fault but ours: the reader waits until a person has mended it.
        # The mailing pauses meanwhile; a letter to a late reader has no mailing that could.
        later = now + FIRST_RETRY_IN if letter.kind == DeliveryKind.LATEST else now
        return Settled(letter, DeliveryStatus.RETRY, Reason.REFUSED, reply, later)
    if letter.deferred_since is not None and now - letter.deferred_since >= GIVE_UP_AFTER:
        return Settled(letter, DeliveryStatus.FAILED, Reason.TOO_OFTEN, reply)
    due_at = now + wait(letter.attempts + 1)
    return Settled(letter, DeliveryStatus.RETRY, Reason.LATER, reply, due_at)


def wait(attempts: int) -> dt.timedelta:
    """Doubles from five minutes to four hours."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST_RETRY_IN * int(2**doublings), LONGEST_WAIT)


def lost(letter: Claimed, *, dot_sent: bool, now: dt.datetime) -> Settled:
    """The connection broke: uncertain only once the whole letter had left. Pure."""
    if dot_sent:
        return Settled(letter, DeliveryStatus.UNCERTAIN, Reason.CONNECTION)
    return Settled(letter, DeliveryStatus.RETRY, Reason.CONNECTION, due_at=now + RECONNECT_IN)


def record(settled: Settled, lane: Lane, relay: str, now: dt.datetime) -> bool:
    """After the answer. A mailbox that is gone ends its subscriber in the same transaction.

    A letter whose envelope was refused was still claimed, and has been tried all the same. One
    that a sweep has called uncertain meanwhile gets its answer: it knows better.
    """
    was_tried_now = When(status=DeliveryStatus.CLAIMED, then=Value(now))
    over = settled.status is not DeliveryStatus.RETRY
    changes: dict[str, Any] = {
        "status": settled.status,
        "reason": settled.reason,
        "reply_code": settled.reply.code if settled.reply else None,
        "enhanced_code": settled.reply.enhanced if settled.reply else "",
        "settled_at": now if over else None,
        "attempts": Case(
            When(status=DeliveryStatus.CLAIMED, then=F("attempts") + 1),
            default=F("attempts"),
            output_field=IntegerField(),
        ),
        "handed_over_at": Case(was_tried_now, default=F("handed_over_at")),
        "relay": relay,
        # An uncertain one keeps its lane, whose late answer may still settle it.
        "lane": lane.pk if settled.status is DeliveryStatus.UNCERTAIN else None,
    }
    if settled.due_at is not None:
        changes["due_at"] = settled.due_at
    if settled.reason is Reason.LATER and settled.letter.deferred_since is None:
        changes["deferred_since"] = now
    row = Delivery.objects.filter(pk=settled.letter.pk)
    if settled.status is DeliveryStatus.RETRY:
        if _is_stopped(settled.letter):
            # Or its reader would count as one who has it.
            changes["status"], changes["reason"] = DeliveryStatus.EXCLUDED, Reason.CANCELLED
            changes["settled_at"] = now
        # It may have been frozen anew while this one was out.
        changes["variant"] = newest_revision()
    with transaction.atomic():
        changed = row.filter(
            lane=lane.pk, status__in=IN_FLIGHT | {DeliveryStatus.UNCERTAIN}
        ).update(**changes)
        if changed:
            _end_subscriber(settled, now)
    return bool(changed)


def _is_stopped(letter: Claimed) -> bool:
    """Whether it must not be tried again: everything else of its kind was excluded meanwhile."""
    mailing = Mailing.objects.get(deliveries=letter.pk)
    if mailing.status == MailingStatus.CANCELLED:
        return True
    is_late = letter.kind == DeliveryKind.LATEST and mailing.status == MailingStatus.SENT
    return is_late and not is_current(mailing)


def _end_subscriber(settled: Settled, now: dt.datetime) -> None:
    """Where the answer says so, or it was the last of several that did not arrive."""
    if not (settled.ends_subscriber or settled.reason is Reason.TOO_OFTEN):
        return
    delivery = Delivery.objects.select_related("subscriber").get(pk=settled.letter.pk)
    is_over = settled.ends_subscriber or delivery.soft_bounces_in_a_row() >= SOFT_IN_A_ROW
    if is_over and delivery.subscriber is not None:
        delivery.subscriber.end(SubscriberStatus.BOUNCED, now)


def fail_unsendable(letter: Claimed, lane: Lane, now: dt.datetime) -> None:
    """Its address cannot be opened: the letter fails, before anything was handed over."""
    Delivery.objects.filter(pk=letter.pk, lane=lane.pk, status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.FAILED, reason=Reason.UNSENDABLE, lane=None, settled_at=now
    )


@transaction.atomic
def close_lane(lane: Lane, now: dt.datetime) -> None:
    """Gives back what was claimed and not handed over.

    What is handed over and has no outcome could not be written down: its lane is its only trace.
    """
    Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.HANDED_OVER).update(
        status=DeliveryStatus.UNCERTAIN, reason=Reason.LANE_DIED, settled_at=now
    )
    mine = Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.CLAIMED)
    if (relay := failover.named(lane.relay)) is not None:
        unused = mine.order_by().values_list("provider").annotate(Count("pk"))
        limits.give_back(relay, Counter(dict(unused)), now)
    active = mine.filter(subscriber__status=SubscriberStatus.ACTIVE)
    Delivery.objects.filter(pk__in=list(active.values_list("pk", flat=True))).update(
        status=DeliveryStatus.PENDING, lane=None
    )
    mine.update(status=DeliveryStatus.EXCLUDED, reason=Reason.NOT_ACTIVE, lane=None, settled_at=now)
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
