"""Applies a bounce or complaint to its subscriber. Safe to repeat: mail may come twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from keys import sealing, tokens
from keys.tokens import InvalidToken, TokenKind
from newsletter.bounces.classify import Report, ReportKind, UnreadableMail, classify
from newsletter.models import (
    BounceKind,
    Delivery,
    QuarantinedMail,
    QuarantineReason,
    Quota,
    Subscriber,
    SubscriberStatus,
)
from newsletter.models.deliveries import MAX_CONSECUTIVE_SOFT_BOUNCES
from newsletter.models.quotas import DAY, window_start

PURPOSE = "set aside"
MAX_QUARANTINED_BYTES = 256 * 1024
"""What is kept of one mail."""
MAX_QUARANTINED_MAILS = 2000
"""Further mails are counted and dropped, so that nobody can fill the disk."""
MAX_COUNT = 10_000_000
STATUS_BY_KIND = {
    ReportKind.HARD: SubscriberStatus.BOUNCED,
    ReportKind.COMPLAINT: SubscriberStatus.COMPLAINED,
}
QUARANTINED, DROPPED = "set aside", "dropped"


class ConflictingTokens(Exception):
    """It names the letters of several subscribers, so it may be forged."""


@dataclass(frozen=True)
class BouncedDelivery:
    """Whom a report is about, and which delivery, where that is known."""

    subscriber: Subscriber | None
    delivery: Delivery | None
    sent_at: dt.datetime | None = None


@transaction.atomic
def apply_mail(raw: bytes, now: dt.datetime, envelope: str = "") -> str:
    """Classifies a mail, applies it and counts it; returns what it was counted as.

    `envelope` is the envelope recipient, where the mail server passes it separately. A mail that
    cannot be understood never raises: it is quarantined. Raises KeyNotFound.
    """
    try:
        report = classify(raw, envelope)
        target = _target(report)
    except UnreadableMail:
        return _quarantine(raw, QuarantineReason.BROKEN, now)
    except ConflictingTokens:
        return _quarantine(raw, QuarantineReason.CONTRADICTORY, now)
    kind = report.kind
    if kind in {ReportKind.AUTO_REPLY, ReportKind.NOTICE}:
        return _count(kind, now)
    if kind is ReportKind.UNRECOGNISED:
        return _quarantine(raw, QuarantineReason.UNRECOGNISED, now)
    if target is None:
        return _quarantine(raw, QuarantineReason.NO_LETTER, now)
    _apply(kind, target, now)
    return _count(kind, now)


def _apply(kind: ReportKind, target: BouncedDelivery, now: dt.datetime) -> None:
    delivery, subscriber = target.delivery, target.subscriber
    if delivery is not None:
        Delivery.objects.filter(pk=delivery.pk).update(bounce=BounceKind(kind.value))
    if subscriber is None or _is_outdated(kind, target.sent_at, subscriber):
        return
    if kind in STATUS_BY_KIND:
        subscriber.end(STATUS_BY_KIND[kind], now)
    elif (
        kind is ReportKind.SOFT
        and delivery
        and delivery.consecutive_soft_bounces() >= MAX_CONSECUTIVE_SOFT_BOUNCES
    ):
        subscriber.end(SubscriberStatus.BOUNCED, now)


def _is_outdated(kind: ReportKind, sent_at: dt.datetime | None, subscriber: Subscriber) -> bool:
    """A bounce from before the last sign-up, or of somebody who has not confirmed, ends nothing."""
    if kind is ReportKind.COMPLAINT:
        return False
    is_older = sent_at is not None and sent_at < subscriber.signed_up_at
    return is_older or subscriber.status == SubscriberStatus.PENDING


# --- Finding the delivery ------------------------------------------------------------


def _target(report: Report) -> BouncedDelivery | None:
    """The subscriber whom every token names. Raises ConflictingTokens where they name several."""
    targets = [
        *(_by_return_path(token) for token in report.return_paths),
        *(_by_single_mail(token) for token in report.return_paths | report.message_ids),
        *(_by_letter(TokenKind.LETTER, token) for token in report.letter_links),
        *(_by_letter(TokenKind.MESSAGE, token) for token in report.message_ids),
    ]
    found = [target for target in targets if target is not None]
    subscribers = {target.subscriber.pk for target in found if target.subscriber is not None}
    deliveries = {target.delivery.pk for target in found if target.delivery is not None}
    if len(subscribers) > 1 or len(deliveries) > 1:
        raise ConflictingTokens
    # Prefers a target with a delivery.
    found.sort(key=lambda target: target.delivery is None)
    return found[0] if found else None


def _by_return_path(token: str) -> BouncedDelivery | None:
    try:
        row, _nothing = tokens.read_token(TokenKind.RETURN_PATH, token)
    except InvalidToken:
        return None
    delivery = (
        Delivery.objects.select_related("subscriber")
        # What was not handed over cannot bounce.
        .filter(pk=row, handed_over_at__isnull=False)
        .first()
    )
    return _of(delivery.subscriber, delivery) if delivery is not None else None


def _by_single_mail(token: str) -> BouncedDelivery | None:
    try:
        row, second = tokens.read_token(TokenKind.SINGLE_MAIL, token)
    except InvalidToken:
        return None
    subscriber = Subscriber.objects.filter(pk=row).first()
    sent_at = dt.datetime.fromtimestamp(second, dt.UTC)
    return BouncedDelivery(subscriber, None, sent_at) if subscriber is not None else None


def _by_letter(kind: TokenKind, token: str) -> BouncedDelivery | None:
    try:
        row, mailing = tokens.read_token(kind, token)
    except InvalidToken:
        return None
    subscriber = Subscriber.objects.filter(pk=row).first()
    if subscriber is None:
        return None
    delivery = Delivery.objects.filter(
        subscriber=subscriber, mailing=mailing, handed_over_at__isnull=False
    ).last()
    return _of(subscriber, delivery)


def _of(subscriber: Subscriber | None, delivery: Delivery | None) -> BouncedDelivery:
    return BouncedDelivery(subscriber, delivery, delivery.handed_over_at if delivery else None)


# --- Counting and quarantine ---------------------------------------------------------


def counter_name(what: str) -> str:
    """The daily counter of a kind of mail."""
    return f"mail: {what}"


def _count(what: str, now: dt.datetime) -> str:
    Quota.spend(counter_name(what), window_start(now, DAY), MAX_COUNT)
    return what


def _quarantine(raw: bytes, reason: QuarantineReason, now: dt.datetime) -> str:
    if QuarantinedMail.objects.count() >= MAX_QUARANTINED_MAILS:
        return _count(DROPPED, now)
    QuarantinedMail.objects.create(
        sealed=sealing.seal_intake(raw[:MAX_QUARANTINED_BYTES], PURPOSE),
        size=len(raw),
        reason=reason,
        arrived_at=now,
    )
    return _count(QUARANTINED, now)


def open_quarantined(mail: QuarantinedMail) -> bytes:
    """The mail's bytes, where the worker's key is. Raises KeyNotFound, DecryptionError."""
    return sealing.worker_keys().open_intake(bytes(mail.sealed), PURPOSE)
