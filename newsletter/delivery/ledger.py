"""Changes of the ledger. Each is one conditional UPDATE, so that a lane whose lease has expired,
or whose mailing was paused, cannot send another letter."""

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
    DeliveryReason,
    DeliveryStatus,
    Lane,
    Mailing,
    MailingStatus,
    SubscriberStatus,
)
from newsletter.models.deliveries import (
    IN_FLIGHT,
    MAX_CONSECUTIVE_SOFT_BOUNCES,
    MAX_RETRY_DELAY,
    is_sendable,
    latest_variant,
)
from newsletter.models.due import is_due

GIVE_UP_AFTER = dt.timedelta(days=2)
FIRST_RETRY_DELAY = dt.timedelta(minutes=5)
RECONNECT_DELAY = dt.timedelta(seconds=30)


def lease_duration() -> dt.timedelta:
    """Longer than a lane's slowest SMTP transaction, of five replies."""
    return dt.timedelta(seconds=5 * settings.RELAY_TIMEOUT + 30)


@transaction.atomic
def open_lane(mailing: Mailing, slot: int, now: dt.datetime) -> Lane | None:
    """Opens a lane; None if the slot is taken or no relay is available."""
    # Pausing locks the mailing and then its lanes: it must see this one.
    Mailing.objects.select_for_update(no_key=True).get(pk=mailing.pk)
    chosen = failover.choose_relay(now)
    if chosen is None:
        return None
    lane, created = Lane.objects.get_or_create(
        mailing=mailing,
        slot=slot,
        defaults={
            "started_at": now,
            "lease_until": now + lease_duration(),
            "relay": str(chosen.relay),
            "connections": chosen.connections,
        },
    )
    return lane if created else None


class ClaimedDelivery(NamedTuple):
    """A claimed delivery: the columns of it and its subscriber that a lane needs."""

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
class ClaimedBatch:
    """The letters that a lane may send next."""

    letters: list[ClaimedDelivery]
    retry_at: dt.datetime | None = None
    """When limits may allow more. Without letters and this nothing is left to send."""


@transaction.atomic
def claim(lane: Lane, relay: Relay, now: dt.datetime, limit: int) -> ClaimedBatch:
    """Claims up to `limit` letters, fewer where rate limits say so.

    Those to subscribers who are no longer active are excluded.
    """
    if not renew_lease(lane, now):
        return ClaimedBatch([])
    due = Delivery.objects.filter(is_sendable(), mailing_id=lane.mailing_id).to_send(now)
    allowance = limits.allowance(relay, limit, now)
    found = _find(due, allowance)
    active: list[ClaimedDelivery] = []
    gone: list[ClaimedDelivery] = []
    for status, *row in found:
        letter = ClaimedDelivery(*row)
        (active if status == SubscriberStatus.ACTIVE else gone).append(letter)
    _rows(gone).update(
        status=DeliveryStatus.EXCLUDED, reason=DeliveryReason.NOT_ACTIVE, lane=None, settled_at=now
    )
    _rows(active).update(status=DeliveryStatus.CLAIMED, lane=lane.pk)
    limits.count(relay, Counter(letter.provider for letter in active), now)
    if found:
        return ClaimedBatch(active, allowance.retry_at)
    held_back = due.filter(provider__in=allowance.full) if allowance.total else due
    return ClaimedBatch(
        [], allowance.opens_at if allowance.opens_at and held_back.exists() else None
    )


def _find(due: QuerySet[Delivery], allowance: limits.Allowance) -> list[tuple[Any, ...]]:
    """Letters that no other lane is claiming, those with a provider limit first."""
    rows = due
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    # Unordered: sorting a million due rows each time is too slow.
    columns = rows.order_by().values_list("subscriber__status", *CLAIMED_COLUMNS)
    found: list[tuple[Any, ...]] = []
    for provider, most in allowance.by_provider.items():
        if least := min(most, allowance.total - len(found)):
            found += columns.filter(provider=provider)[:least]
    if left := allowance.total - len(found):
        # Without limits the query has no condition on the provider.
        found += (
            columns.exclude(provider__in=allowance.by_provider)
            if allowance.by_provider
            else columns
        )[:left]
    return found


def _rows(letters: list[ClaimedDelivery]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=[letter.pk for letter in letters])


def renew_lease(lane: Lane, now: dt.datetime) -> bool:
    """Extends the lane's lease; False if it expired and was reaped."""
    return bool(Lane.objects.filter(pk=lane.pk).update(lease_until=now + lease_duration()))


@dataclass(frozen=True)
class DeliveryResult:
    """What became of one letter of a lane."""

    letter: ClaimedDelivery
    status: DeliveryStatus
    reason: DeliveryReason
    reply: Reply | None = None
    due_at: dt.datetime | None = None

    @property
    def ends_subscriber(self) -> bool:
        is_gone = self.reason is DeliveryReason.GONE
        return is_gone and self.reply is not None and is_mailbox_gone(self.reply)


def result_of_reply(
    letter: ClaimedDelivery, outcome: Outcome, reply: Reply, now: dt.datetime
) -> DeliveryResult:
    """What a relay's reply means for a letter. Pure."""
    if outcome is Outcome.SENT:
        return DeliveryResult(letter, DeliveryStatus.SENT, DeliveryReason.NONE, reply)
    if outcome is Outcome.GONE:
        return DeliveryResult(letter, DeliveryStatus.FAILED, DeliveryReason.GONE, reply)
    if outcome is Outcome.REFUSED:
        # Not the recipient's fault: kept until a person has fixed it. The mailing pauses, but
        # late letters have no mailing that could, so they are delayed.
        later = now + FIRST_RETRY_DELAY if letter.kind == DeliveryKind.LATEST else now
        return DeliveryResult(letter, DeliveryStatus.RETRY, DeliveryReason.REFUSED, reply, later)
    if letter.deferred_since is not None and now - letter.deferred_since >= GIVE_UP_AFTER:
        return DeliveryResult(letter, DeliveryStatus.FAILED, DeliveryReason.TOO_OFTEN, reply)
    due_at = now + retry_delay(letter.attempts + 1)
    return DeliveryResult(letter, DeliveryStatus.RETRY, DeliveryReason.LATER, reply, due_at)


def retry_delay(attempts: int) -> dt.timedelta:
    """Exponential backoff, from five minutes to four hours."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST_RETRY_DELAY * int(2**doublings), MAX_RETRY_DELAY)


def result_of_lost_connection(
    letter: ClaimedDelivery, *, dot_sent: bool, now: dt.datetime
) -> DeliveryResult:
    """Uncertain only if the whole letter had left, with its final dot. Pure."""
    if dot_sent:
        return DeliveryResult(letter, DeliveryStatus.UNCERTAIN, DeliveryReason.CONNECTION)
    return DeliveryResult(
        letter, DeliveryStatus.RETRY, DeliveryReason.CONNECTION, due_at=now + RECONNECT_DELAY
    )


def record_result(result: DeliveryResult, lane: Lane, relay: str, now: dt.datetime) -> bool:
    """Writes a result. A mailbox that does not exist ends its subscriber in the same transaction.

    A letter whose envelope was rejected was only claimed, and still counts as an attempt. One
    that was reaped as uncertain meanwhile gets the result after all.
    """
    was_tried_now = When(status=DeliveryStatus.CLAIMED, then=Value(now))
    over = result.status is not DeliveryStatus.RETRY
    changes: dict[str, Any] = {
        "status": result.status,
        "reason": result.reason,
        "reply_code": result.reply.code if result.reply else None,
        "enhanced_code": result.reply.enhanced if result.reply else "",
        "settled_at": now if over else None,
        "attempts": Case(
            When(status=DeliveryStatus.CLAIMED, then=F("attempts") + 1),
            default=F("attempts"),
            output_field=IntegerField(),
        ),
        "handed_over_at": Case(was_tried_now, default=F("handed_over_at")),
        "relay": relay,
        # An uncertain one keeps its lane, whose late reply may still be recorded.
        "lane": lane.pk if result.status is DeliveryStatus.UNCERTAIN else None,
    }
    if result.due_at is not None:
        changes["due_at"] = result.due_at
    if result.reason is DeliveryReason.LATER and result.letter.deferred_since is None:
        changes["deferred_since"] = now
    row = Delivery.objects.filter(pk=result.letter.pk)
    if result.status is DeliveryStatus.RETRY:
        if _is_stopped(result.letter):
            # Else its subscriber would count as having it.
            changes["status"], changes["reason"] = DeliveryStatus.EXCLUDED, DeliveryReason.CANCELLED
            changes["settled_at"] = now
        # A new revision may have been frozen meanwhile.
        changes["variant"] = latest_variant()
    with transaction.atomic():
        changed = row.filter(
            lane=lane.pk, status__in=IN_FLIGHT | {DeliveryStatus.UNCERTAIN}
        ).update(**changes)
        if changed:
            _end_subscriber(result, now)
    return bool(changed)


def _is_stopped(letter: ClaimedDelivery) -> bool:
    """Whether it must not be retried: the others of its kind were excluded meanwhile."""
    mailing = Mailing.objects.get(deliveries=letter.pk)
    if mailing.status == MailingStatus.CANCELLED:
        return True
    is_late = letter.kind == DeliveryKind.LATEST and mailing.status == MailingStatus.SENT
    return is_late and not is_current(mailing)


def _end_subscriber(result: DeliveryResult, now: dt.datetime) -> None:
    """If the mailbox does not exist, or too many letters in a row soft-bounced."""
    if not (result.ends_subscriber or result.reason is DeliveryReason.TOO_OFTEN):
        return
    delivery = Delivery.objects.select_related("subscriber").get(pk=result.letter.pk)
    is_over = (
        result.ends_subscriber
        or delivery.consecutive_soft_bounces() >= MAX_CONSECUTIVE_SOFT_BOUNCES
    )
    if is_over and delivery.subscriber is not None:
        delivery.subscriber.end(SubscriberStatus.BOUNCED, now)


def fail_unsendable(letter: ClaimedDelivery, lane: Lane, now: dt.datetime) -> None:
    """The address cannot be decrypted: the letter fails before it was handed over."""
    Delivery.objects.filter(pk=letter.pk, lane=lane.pk, status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.FAILED, reason=DeliveryReason.UNSENDABLE, lane=None, settled_at=now
    )


@transaction.atomic
def close_lane(lane: Lane, now: dt.datetime) -> None:
    """Deletes the lane and returns its claimed letters to pending.

    A letter that is still handed over has a result that could not be recorded: it is uncertain.
    """
    Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.HANDED_OVER).update(
        status=DeliveryStatus.UNCERTAIN, reason=DeliveryReason.LANE_DIED, settled_at=now
    )
    mine = Delivery.objects.filter(lane=lane.pk, status=DeliveryStatus.CLAIMED)
    if (relay := failover.find_relay(lane.relay)) is not None:
        unused = mine.order_by().values_list("provider").annotate(Count("pk"))
        limits.give_back(relay, Counter(dict(unused)), now)
    active = mine.filter(subscriber__status=SubscriberStatus.ACTIVE)
    Delivery.objects.filter(pk__in=list(active.values_list("pk", flat=True))).update(
        status=DeliveryStatus.PENDING, lane=None
    )
    mine.update(
        status=DeliveryStatus.EXCLUDED, reason=DeliveryReason.NOT_ACTIVE, lane=None, settled_at=now
    )
    Lane.objects.filter(pk=lane.pk).delete()


@transaction.atomic
def reap_expired(now: dt.datetime) -> tuple[int, int]:
    """Ends lanes whose lease has expired: claimed → pending, handed over → uncertain.

    Returns how many letters of each.
    """
    expired = list(
        Lane.objects.select_for_update()
        .filter(is_due("lease_until", now, lease_duration()))
        .values_list("pk", flat=True)
    )
    left = Delivery.objects.filter(lane__in=expired)
    back = left.filter(status=DeliveryStatus.CLAIMED).update(
        status=DeliveryStatus.PENDING, lane=None
    )
    uncertain = left.filter(status=DeliveryStatus.HANDED_OVER).update(
        status=DeliveryStatus.UNCERTAIN, reason=DeliveryReason.LANE_DIED, settled_at=now
    )
    Lane.objects.filter(pk__in=expired).delete()
    return back, uncertain
