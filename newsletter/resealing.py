"""Sealing the list anew after a rotation of the keys: in batches, and safe to be killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, models, transaction

from newsletter import inquiring, subscribing
from newsletter.bounces import obeying
from newsletter.importing import uploading
from newsletter.models import (
    ImportChunk,
    Inquiry,
    SetAsideMail,
    SignUp,
    StagedReader,
    Subscriber,
)
from newsroom import sealing
from newsroom.sealing import SealBroken, WorkerKeys

BATCH = 1000

LIST_SEALS: tuple[tuple[type[models.Model], str], ...] = (
    (Subscriber, "id"),
    (StagedReader, "reader"),
)
"""Tables under the list's seal, and the column of the number that a seal is bound to."""
INTAKE_SEALS: tuple[tuple[type[models.Model], str, Callable[[Any], str]], ...] = (
    (SignUp, "sealed_address", lambda _row: subscribing.PURPOSE),
    (Inquiry, "sealed_address", lambda _row: inquiring.PURPOSE),
    (ImportChunk, "sealed", lambda row: uploading.purpose(row.belongs_to_id, row.position)),
    (SetAsideMail, "sealed", lambda _row: obeying.PURPOSE),
)
"""Tables under the intake's seal. They are not sealed anew: they are opened soon, or go."""


def reseal(report: Callable[[int], None]) -> int:
    """Brings every address under the newest generation; returns how many were sealed anew.

    Two at once do no harm, and whoever leaves meanwhile stays gone. `report` is told after each
    batch. Raises KeyMissing, and SealBroken for a row that none of our keys opens.
    """
    keys = sealing.worker_keys()
    done = 0
    for model, number in LIST_SEALS:
        columns = ("pk", number, "sealed_address", "key_generation")
        last: int | None = None
        while True:
            # From where the last batch ended: what is done need not be looked through again.
            rows = _older(model, keys).filter(pk__gt=last) if last else _older(model, keys)
            with transaction.atomic():
                batch = list(rows.values_list(*columns)[:BATCH])
                _seal_anew(model, batch, keys)
            if batch:
                done, last = done + len(batch), batch[-1][0]
                report(done)
            elif last is None:
                break
            else:
                # Once more from the start: a sign-up may have come under the older keys.
                last = None
    return done


def remaining(keys: WorkerKeys) -> int:
    """How many addresses an older generation still seals."""
    return sum(_older(model, keys).count() for model, _number in LIST_SEALS)


def needs_older(keys: WorkerKeys) -> Iterator[str]:
    """Which tables hold anything that the newest generation alone would not open."""
    for model, _number in LIST_SEALS:
        if _older(model, keys).exists():
            yield str(model._meta.verbose_name_plural or model._meta.label)
    newest = keys.newest_alone()
    for table, column, purpose in INTAKE_SEALS:
        rows = table._default_manager.exclude(**{column: b""}).iterator(100)
        if not all(_opens(newest, bytes(getattr(row, column)), purpose(row)) for row in rows):
            yield str(table._meta.verbose_name_plural or table._meta.label)


def _older(model: type[models.Model], keys: WorkerKeys) -> models.QuerySet[Any]:
    rows = model._default_manager.filter(key_generation__lt=keys.generation)
    return rows.exclude(sealed_address=b"").order_by("pk")


def _seal_anew(
    model: type[models.Model], batch: list[tuple[int, int, bytes, int]], keys: WorkerKeys
) -> None:
    changes = []
    for pk, number, sealed, generation in batch:
        address = keys.open_address(bytes(sealed), number, generation)
        anew = keys.seal_address(address, number)
        changes.append((anew, keys.generation, pk, bytes(sealed)))
    if not changes:
        return
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        # Only where it is what it was: who has left meanwhile has no address any more.
        cursor.executemany(
            f"UPDATE {quote(model._meta.db_table)} "  # noqa: S608
            "SET sealed_address = %s, key_generation = %s WHERE id = %s AND sealed_address = %s",
            changes,
        )


def _opens(keys: WorkerKeys, sealed: bytes, purpose: str) -> bool:
    try:
        keys.open_intake(sealed, purpose)
    except SealBroken:
        return False
    return True
