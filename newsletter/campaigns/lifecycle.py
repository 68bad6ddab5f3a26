"""An approved mailing: launch, pause, resume, cancel, and its ledger in numbers."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DateTimeField,
    F,
    QuerySet,
    Value,
    When,
)
from django.utils.translation import gettext as _

from articles.models import Article, Digest
from core import languages
from core.states import InvalidTransition
from newsletter.models import (
    Delivery,
    DeliveryKind,
    DeliveryReason,
    DeliveryStatus,
    Mailing,
    MailingStatus,
    Subscriber,
)
from newsletter.models.deliveries import STILL_TO_SEND, TO_SEND, latest_variant
from newsletter.models.insert_select import insert_from
from newsletter.models.mailings import NOT_BEGUN, UNDER_WAY
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)


@transaction.atomic
def reopen(digest: Digest, now: dt.datetime, *, by: Any = None, because: str = "") -> bool:
    """Opens an approved digest again; cancels its mailings that were not launched."""
    digest = Digest.objects.select_for_update().get(pk=digest.pk)
    for mailing in digest.mailings.not_begun():
        cancel(mailing, now, by=by)
    opened = digest.reopen(because)
    if opened:
        record(AuditAction.REOPENED, digest, by=by, now=now, detail=because)
    return opened


# --- Sending and stopping ------------------------------------------------------------


@transaction.atomic
def launch(mailing: Mailing, now: dt.datetime, *, by: Any = None) -> int:
    """Creates one delivery per subscriber in one statement; returns how many.

    Launching twice does nothing. Raises InvalidTransition if the mailing has ended.
    """
    if not mailing.begin(now):
        return 0
    record(AuditAction.SENT, mailing, by=by, now=now)
    variants = {variant.kind: variant.pk for variant in mailing.variants.order_by("revision")}
    return _insert_deliveries(_audience(mailing), mailing, variants, now)


def _audience(mailing: Mailing) -> QuerySet[Subscriber]:
    """The edition's active subscribers. Whoever has this digest from another edition is skipped
    by a constraint on Delivery: checking each of a million would cost more than the launch.
    """
    return Subscriber.objects.active().of_edition(mailing.edition).order_by()


def _insert_deliveries(
    audience: QuerySet[Subscriber], mailing: Mailing, variants: dict[str, int], now: dt.datetime
) -> int:
    """INSERT … SELECT: a million rows never pass through Python."""
    chosen = Case(
        *(When(variant=kind, then=Value(pk)) for kind, pk in variants.items()),
        output_field=BigIntegerField(),
    )
    columns: dict[str, Any] = {
        "mailing_id": Value(mailing.pk),
        "digest_id": Value(mailing.digest_id),
        "variant_id": chosen,
        "subscriber_id": F("pk"),
        "kind": Value(DeliveryKind.WEEKLY.value),
        "status": Value(DeliveryStatus.PENDING.value),
        "reason": Value(DeliveryReason.NONE.value),
        "provider": F("provider"),
        "relay": Value(""),
        "attempts": Value(0),
        "due_at": Value(now, output_field=DateTimeField()),
        "enhanced_code": Value(""),
    }
    return insert_from(audience.filter(variant__in=variants), Delivery, columns)


def launch_due(now: dt.datetime) -> list[Mailing]:
    """Launches due mailings and holds those too late. A failure stops none of the others."""
    for late in Mailing.objects.too_late(now):
        late.hold()
        logger.warning("Mailing %s missed its send time and is held.", late.pk)
    launched = []
    for mailing in Mailing.objects.due(now).select_related("edition"):
        try:
            launch(mailing, now)
        except InvalidTransition:
            continue
        except Exception:
            logger.exception("Mailing %s could not be launched.", mailing.pk)
            continue
        launched.append(mailing)
    return launched


@transaction.atomic
def cancel(mailing: Mailing, now: dt.datetime, *, by: Any = None) -> bool:
    """Ends a mailing: its unsent letters are excluded."""
    if not mailing.mark_cancelled(now):
        return False
    record(AuditAction.CANCELLED, mailing, by=by, now=now)
    _exclude_unsent(mailing, now)
    return True


def _exclude_unsent(mailing: Mailing, now: dt.datetime) -> None:
    """Excludes what was not handed over yet."""
    Delivery.objects.of_mailing(mailing).filter(
        status__in=TO_SEND | {DeliveryStatus.CLAIMED}
    ).update(
        status=DeliveryStatus.EXCLUDED, reason=DeliveryReason.CANCELLED, lane=None, settled_at=now
    )


@transaction.atomic
def pause(mailing: Mailing, now: dt.datetime, *, by: Any = None, why: str = "") -> bool:
    """No lane hands over another letter once this has returned. Raises InvalidTransition."""
    paused = mailing.pause(why)
    if paused:
        record(AuditAction.PAUSED, mailing, by=by, now=now, detail=why)
    return paused


@transaction.atomic
def stop_sending(mailing: Mailing, why: str, now: dt.datetime) -> None:
    """Pauses a mailing that is sending; excludes the late letters of one that was sent."""
    if mailing.status == MailingStatus.SENT:
        _exclude_unsent(mailing, now)
    else:
        pause(mailing, now, why=why[:300])


@transaction.atomic
def resume(mailing: Mailing, now: dt.datetime, *, by: Any = None) -> bool:
    """paused → sending.

    Raises InvalidTransition, also if a text in its letter was withdrawn meanwhile (guarantee 10).
    """
    Mailing.objects.select_for_update().get(pk=mailing.pk)
    _refuse_withdrawn(mailing)
    resumed = mailing.resume()
    if resumed:
        record(AuditAction.RESUMED, mailing, by=by, now=now)
    return resumed


def _refuse_withdrawn(mailing: Mailing) -> None:
    """Raises InvalidTransition if a text in the frozen letter is not public any more."""
    for content in mailing.contents.select_related("article"):
        if content.language not in content.article.public_languages:
            raise InvalidTransition(
                _(
                    "“%(article)s” in it was withdrawn. Freeze the letter anew for the rest of its "
                    "readers, or cancel the mailing."
                )
                % {"article": str(content.article)[:200]}
            )


@transaction.atomic
def resend_uncertain(mailing: Mailing, now: dt.datetime, *, by: Any = None) -> int:
    """Sends again to the uncertain, some of whom have the letter; returns how many.

    Only when a person says so (guarantee 2). Whoever has left meanwhile is excluded. Raises
    InvalidTransition for a mailing that was cancelled or shows what was withdrawn.
    """
    mailing = Mailing.objects.select_for_update().get(pk=mailing.pk)
    if mailing.status not in UNDER_WAY | {MailingStatus.SENT}:
        raise InvalidTransition(_("Only a mailing that was sent, or is being sent, can do that."))
    _refuse_withdrawn(mailing)
    count = (
        Delivery.objects.of_mailing(mailing)
        .uncertain()
        .update(
            status=DeliveryStatus.PENDING,
            variant=latest_variant(),
            reason=DeliveryReason.NONE,
            lane=None,
            due_at=now,
            deferred_since=None,
            settled_at=None,
        )
    )
    if count:
        mailing.reopen_sent()
        record(AuditAction.SENT_AGAIN, mailing, by=by, now=now, detail=str(count))
    return count


def finish_if_done(mailing: Mailing, now: dt.datetime) -> bool:
    """sending → sent, once nothing is left to send."""
    if Delivery.objects.of_mailing(mailing).still_to_send().exists():
        return False
    return mailing.mark_sent(now)


@transaction.atomic
def withdraw_from_mailings(
    article: Article, codes: Iterable[str], now: dt.datetime, why: str
) -> list[Mailing]:
    """Stops the mailings that contain an article which was withdrawn or corrected.

    One that was not launched is cancelled and its digest opened again; one that is sending pauses;
    of one that was sent, late letters are excluded. Returns those mailings.
    """
    affected = list(
        Mailing.objects.carrying(article, *codes).select_related("digest").order_by("pk")
    )
    for mailing in affected:
        if mailing.status in NOT_BEGUN:
            reopen(mailing.digest, now, because=why)
        elif mailing.status == MailingStatus.SENDING:
            pause(mailing, now, why=why)
        elif mailing.status == MailingStatus.SENT:
            _exclude_unsent(mailing, now)
    return affected


def withdrawal_effects(article: Article, codes: Iterable[str]) -> list[str]:
    """What withdrawing the article would do to mailings, one sentence each."""
    effects = []
    for one in Mailing.objects.carrying(article, *codes).select_related("digest", "edition"):
        counts = ledger(one)
        named = {"mailing": one, "sent": counts.sent, "all": counts.audience}
        if one.status in NOT_BEGUN:
            text = _("The mailing %(mailing)s is cancelled, and its digest opens again.")
        elif one.status in UNDER_WAY:
            text = _("The mailing %(mailing)s pauses: %(sent)s of %(all)s letters have gone.")
        elif one.status == MailingStatus.SENT:
            text = _("The mailing %(mailing)s has gone: letters are not called back (%(sent)s).")
        else:
            continue
        effects.append(text % named)
    return effects


# --- The ledger ----------------------------------------------------------------------


@dataclass(frozen=True)
class Ledger:
    """How many subscribers a mailing has, and the state of their deliveries."""

    audience: int
    sent: int
    failed: int
    excluded: int
    uncertain: int
    still_to_send: int

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Ledger:
        """From the number of deliveries by status."""
        return cls(
            audience=sum(counts.values()),
            sent=counts.get(DeliveryStatus.SENT, 0),
            failed=counts.get(DeliveryStatus.FAILED, 0),
            excluded=counts.get(DeliveryStatus.EXCLUDED, 0),
            uncertain=counts.get(DeliveryStatus.UNCERTAIN, 0),
            still_to_send=sum(counts.get(status, 0) for status in STILL_TO_SEND),
        )

    @property
    def balances(self) -> bool:
        """Guarantee 1."""
        parts = self.sent + self.failed + self.excluded + self.uncertain + self.still_to_send
        return parts == self.audience


def ledger(mailing: Mailing) -> Ledger:
    """Of the audience at launch, in one query."""
    return _count(Delivery.objects.of_mailing(mailing).weekly())


def late_ledger(mailing: Mailing) -> Ledger:
    """Of the subscribers who confirmed since the launch."""
    return _count(Delivery.objects.of_mailing(mailing).to_late_subscribers())


def _count(rows: QuerySet[Delivery]) -> Ledger:
    return Ledger.of(dict(rows.order_by().values_list("status").annotate(count=Count("pk"))))


def summary_line(digest: Digest) -> str:
    """One line: `Digest 16–22 November 2026 sent: EN 7, BE/RU 5, failed 0`."""
    label = digest.week.label(languages.default())
    mailings = list(digest.mailings.not_cancelled().select_related("edition").order_by("edition"))
    ledgers = [(mailing, ledger(mailing)) for mailing in mailings]
    over = bool(mailings) and all(mailing.status == MailingStatus.SENT for mailing in mailings)
    parts = [f"{mailing.edition} {counts.sent}" for mailing, counts in ledgers]
    parts.append(f"failed {sum(counts.failed for _, counts in ledgers)}")
    for name in ("uncertain", "still_to_send", "excluded"):
        number = sum(getattr(counts, name) for _, counts in ledgers)
        if number:
            parts.append(f"{name.replace('_', ' ')} {number}")
    return f"Digest {label} {'sent' if over else 'not all sent yet'}: {', '.join(parts)}"
