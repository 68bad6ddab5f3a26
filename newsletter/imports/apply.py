"""Applies a checked import to the list, and undoes it. In batches, each safe to repeat."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, Exists, F, OuterRef, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from core.states import InvalidTransition
from newsletter.imports.columns import Column
from newsletter.imports.dry_run import Clock
from newsletter.models import (
    Departure,
    DepartureKind,
    Import,
    ImportStatus,
    StagedSubscriber,
    Subscriber,
    SubscriberStatus,
    Suppression,
    VariantKind,
)
from newsletter.models.imports import NOT_APPLIED
from newsletter.models.insert_select import insert_from
from staff.audit import record
from staff.models import AuditAction

BATCH_SIZE = 5000
CONSENTED_ELSEWHERE = 0
"""The consent version of imported subscribers (newsletter/subscribers/consent.py)."""


@transaction.atomic
def name_columns(row: Import, layout: list[str]) -> None:
    """Sets what each column is and queues the check again. Raises InvalidTransition."""
    if layout.count(Column.ADDRESS) != 1:
        raise InvalidTransition(_("Say of exactly one column that it holds the addresses."))
    chosen = [Column(one).value for one in layout]
    if not row.transition(ImportStatus.UPLOADED, {ImportStatus.UNNAMED}, columns=chosen):
        raise InvalidTransition(_("This import does not wait for its columns."))


@transaction.atomic
def request_apply(row: Import, by: Any, now: dt.datetime) -> None:
    """Queues it for a worker. Raises InvalidTransition."""
    if not row.transition(ImportStatus.APPLYING, {ImportStatus.CHECKED}):
        raise InvalidTransition(_("Only an import that has been checked can be applied."))
    record(AuditAction.APPLIED, row, by=by, now=now)


@transaction.atomic
def request_undo(row: Import, by: Any, now: dt.datetime) -> None:
    """Queues the removal of whom it added. Raises InvalidTransition."""
    if not row.transition(ImportStatus.UNDOING, {ImportStatus.APPLIED, ImportStatus.APPLYING}):
        raise InvalidTransition(_("Only an import that has been applied can be undone."))
    record(AuditAction.UNDONE, row, by=by, now=now)


@transaction.atomic
def discard_import(row: Import, by: Any, now: dt.datetime) -> None:
    """Deletes an import that was not applied; its counts stay in the audit.

    Raises InvalidTransition.
    """
    record(AuditAction.DISCARDED, row, by=by, now=now, detail=row.said())
    deleted, _by_model = Import.objects.filter(pk=row.pk, status__in=NOT_APPLIED).delete()
    if not deleted:
        raise InvalidTransition(_("This import has been applied. Undo it instead."))


def apply_import(import_id: int, clock: Clock) -> bool:
    """Adds the staged subscribers who are still neither on the list nor suppressed."""
    row = Import.objects.filter(pk=import_id, status=ImportStatus.APPLYING).first()
    if row is None or not row.take(clock()):
        return False
    last = 0
    while True:
        with transaction.atomic():
            # Locks the row: a request to undo waits for this batch, and ends the loop.
            if not row.hold(ImportStatus.APPLYING, clock()):
                return True
            # By id: skipping over deleted rows is slow.
            ids = _next(StagedSubscriber.objects.filter(belongs_to=row, pk__gt=last))
            if not ids:
                break
            last = ids[-1]
            row.count(added=_insert(row, ids, clock()))
            StagedSubscriber.objects.filter(pk__in=ids).delete()
    row.transition(ImportStatus.APPLIED, {ImportStatus.APPLYING})
    return True


def undo_import(import_id: int, clock: Clock) -> bool:
    """Deletes the subscribers it added who have changed nothing since.

    Whoever has unsubscribed stays suppressed; whoever has changed their preferences stays.
    """
    row = Import.objects.filter(pk=import_id, status=ImportStatus.UNDOING).first()
    if row is None or not row.take(clock()):
        return False
    row.staged.all().delete()
    added = Subscriber.objects.filter(came_by=row, status=SubscriberStatus.ACTIVE)
    last = -1
    while True:
        with transaction.atomic():
            rows = added.filter(pk__gt=last).select_for_update().order_by("pk")
            batch = list(rows[:BATCH_SIZE])
            if not batch:
                break
            last = batch[-1].pk
            now = clock()
            Departure.objects.bulk_create(
                Departure(
                    address_hash=bytes(subscriber.address_hash or b""),
                    kind=DepartureKind.FORGOTTEN,
                    at=now,
                )
                for subscriber in batch
            )
            Subscriber.objects.filter(pk__in=[subscriber.pk for subscriber in batch]).delete()
            row.count(removed=len(batch))
        row.renew(clock())
    row.transition(ImportStatus.UNDONE, {ImportStatus.UNDOING})
    return True


def _next(rows: Any) -> list[int]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE])


def _insert(row: Import, ids: list[int], now: dt.datetime) -> int:
    """INSERT … SELECT, so sealed addresses do not pass through Python; returns how many were added.

    Checks the list and the suppressions again: days may lie between the check and this.
    """
    moment = Value(now, output_field=DateTimeField())
    columns: dict[str, Any] = {
        "id": F("reader"),
        "sealed_address": F("sealed_address"),
        "key_generation": F("key_generation"),
        "address_hash": F("address_hash"),
        "provider": F("provider"),
        "edition_id": F("edition_id"),
        "variant": Value(VariantKind.FULL.value),
        "language": F("language"),
        "status": Value(SubscriberStatus.ACTIVE.value),
        "signed_up_at": Coalesce(F("consented_at"), moment),
        "wording": Value(CONSENTED_ELSEWHERE),
        "consented_to": F("edition__code"),
        "confirmed_at": Coalesce(F("consented_at"), moment),
        "came_by_id": Value(row.pk),
    }
    same = {"address_hash": OuterRef("address_hash")}
    rows = (
        StagedSubscriber.objects.filter(pk__in=ids, is_refused=False)
        .filter(~Exists(Suppression.objects.filter(**same)))
        .filter(~Exists(Subscriber.objects.filter(**same)))
        .order_by()
    )
    return insert_from(rows, Subscriber, columns)
