"""What a report does to its reader. One transaction; safe to repeat, as mail is delivered twice."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from keys import sealing, tokens
from keys.tokens import BadToken, Kind
from newsletter.bounces.classify import Report, Unreadable, Verdict, read
from newsletter.models import (
    BounceKind,
    Delivery,
    SetAsideMail,
    SetAsideReason,
    Spending,
    Subscriber,
    SubscriberStatus,
)
from newsletter.models.deliveries import SOFT_IN_A_ROW
from newsletter.models.quotas import DAY, window_start

PURPOSE = "set aside"
MOST_KEPT = 256 * 1024
"""Bytes of a mail that is set aside; the rest says nothing new."""
MOST_SET_ASIDE = 2000
"""Mails. Somebody who pours rubbish in does not fill the disk; what comes then is counted only."""
COUNTED = 10_000_000
ENDS = {
    Verdict.HARD: SubscriberStatus.BOUNCED,
    Verdict.COMPLAINT: SubscriberStatus.COMPLAINED,
}
SET_ASIDE, TOO_MANY = "set aside", "dropped"


class Contradiction(Exception):
    """It names the letters of several readers: somebody claims what is not theirs."""


@dataclass(frozen=True)
class Target:
    """Whom a report is about, and which of their letters, where that is known."""

    subscriber: Subscriber | None
    delivery: Delivery | None
    left_at: dt.datetime | None = None
    """When the mail left, where that is known."""


@transaction.atomic
def obey(raw: bytes, now: dt.datetime, envelope: str = "") -> str:
    """Reads a mail, does what it says and counts it. Returns what it was counted as.

    `envelope` is the recipient where the mail server says it apart from the mail. Never raises
    for what a mail says: what makes no sense is set aside. Raises KeyMissing.
    """
    try:
        report = read(raw, envelope)
        target = _target(report)
    except Unreadable:
        return _set_aside(raw, SetAsideReason.BROKEN, now)
    except Contradiction:
        return _set_aside(raw, SetAsideReason.CONTRADICTORY, now)
    verdict = report.verdict
    if verdict in {Verdict.AUTO_REPLY, Verdict.NOTICE}:
        return _count(verdict, now)
    if verdict is Verdict.UNRECOGNISED:
        return _set_aside(raw, SetAsideReason.UNRECOGNISED, now)
    if target is None:
        return _set_aside(raw, SetAsideReason.NO_LETTER, now)
    _apply(verdict, target, now)
    return _count(verdict, now)


def _apply(verdict: Verdict, target: Target, now: dt.datetime) -> None:
    delivery, subscriber = target.delivery, target.subscriber
    if delivery is not None:
        Delivery.objects.filter(pk=delivery.pk).update(bounce=BounceKind(verdict.value))
    if subscriber is None or _is_over(verdict, target.left_at, subscriber):
        return
    if verdict in ENDS:
        subscriber.end(ENDS[verdict], now)
    elif verdict is Verdict.SOFT and delivery and delivery.soft_bounces_in_a_row() >= SOFT_IN_A_ROW:
        subscriber.end(SubscriberStatus.BOUNCED, now)


def _is_over(verdict: Verdict, left_at: dt.datetime | None, subscriber: Subscriber) -> bool:
    """Who came back since has a mailbox again, whatever became of a letter before that.

    Who has not confirmed yet is not on the list, and has nothing that a bounce could end.
    """
    if verdict is Verdict.COMPLAINT:
        return False
    is_older = left_at is not None and left_at < subscriber.signed_up_at
    return is_older or subscriber.status == SubscriberStatus.PENDING


# --- Whose letter --------------------------------------------------------------------


def _target(report: Report) -> Target | None:
    """The reader whom every token names. Raises Contradiction where they name several."""
    targets = [
        *(_by_return_path(token) for token in report.return_paths),
        *(_by_single_mail(token) for token in report.return_paths | report.messages),
        *(_by_letter(Kind.LETTER, token) for token in report.letters),
        *(_by_letter(Kind.MESSAGE, token) for token in report.messages),
    ]
    found = [target for target in targets if target is not None]
    readers = {target.subscriber.pk for target in found if target.subscriber is not None}
    letters = {target.delivery.pk for target in found if target.delivery is not None}
    if len(readers) > 1 or len(letters) > 1:
        raise Contradiction
    # The one that knows the letter too, if there is one.
    found.sort(key=lambda target: target.delivery is None)
    return found[0] if found else None


def _by_return_path(token: str) -> Target | None:
    try:
        row, _nothing = tokens.read_token(Kind.RETURN_PATH, token)
    except BadToken:
        return None
    delivery = (
        Delivery.objects.select_related("subscriber")
        # What has not left cannot come back.
        .filter(pk=row, handed_over_at__isnull=False)
        .first()
    )
    return _of(delivery.subscriber, delivery) if delivery is not None else None


def _by_single_mail(token: str) -> Target | None:
    try:
        row, second = tokens.read_token(Kind.SINGLE_MAIL, token)
    except BadToken:
        return None
    subscriber = Subscriber.objects.filter(pk=row).first()
    left_at = dt.datetime.fromtimestamp(second, dt.UTC)
    return Target(subscriber, None, left_at) if subscriber is not None else None


def _by_letter(kind: Kind, token: str) -> Target | None:
    try:
        row, mailing = tokens.read_token(kind, token)
    except BadToken:
        return None
    subscriber = Subscriber.objects.filter(pk=row).first()
    if subscriber is None:
        return None
    delivery = Delivery.objects.filter(
        subscriber=subscriber, mailing=mailing, handed_over_at__isnull=False
    ).last()
    return _of(subscriber, delivery)


def _of(subscriber: Subscriber | None, delivery: Delivery | None) -> Target:
    return Target(subscriber, delivery, delivery.handed_over_at if delivery else None)


# --- Counting and setting aside ------------------------------------------------------


def counter(what: str) -> str:
    """Under which name a day's mails of a kind are counted."""
    return f"mail: {what}"


def _count(what: str, now: dt.datetime) -> str:
    Spending.spend(counter(what), window_start(now, DAY), COUNTED)
    return what


def _set_aside(raw: bytes, reason: SetAsideReason, now: dt.datetime) -> str:
    if SetAsideMail.objects.count() >= MOST_SET_ASIDE:
        return _count(TOO_MANY, now)
    SetAsideMail.objects.create(
        sealed=sealing.seal_intake(raw[:MOST_KEPT], PURPOSE),
        size=len(raw),
        reason=reason,
        arrived_at=now,
    )
    return _count(SET_ASIDE, now)


def open_set_aside(mail: SetAsideMail) -> bytes:
    """What it says, where the worker's key is. Raises KeyMissing, SealBroken."""
    return sealing.worker_keys().open_intake(bytes(mail.sealed), PURPOSE)
