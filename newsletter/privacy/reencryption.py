"""Sealing the list anew: in batches, and safe to be killed.

After a rotation of the keys; and after an upgrade, for seals from before addresses were padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import Error, connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Length

from keys import sealing
from keys.sealing import SEALED_ADDRESS_BYTES, KeyMissing, SealBroken, WorkerKeys
from newsletter.bounces import apply
from newsletter.imports import upload
from newsletter.models import (
    HashGeneration,
    ImportChunk,
    Inquiry,
    SetAsideMail,
    SignUp,
    StagedReader,
    Subscriber,
)
from newsletter.models.bulk_update import update_each
from newsletter.subscribers import lookup, sign_up

BATCH = 1000
MOST_NAMED = 20

LIST_SEALS: tuple[tuple[type[models.Model], str], ...] = (
    # An import's readers move on to the list: looked at in that order, none is overlooked.
    (StagedReader, "reader"),
    (Subscriber, "id"),
)
"""Tables under the list's seal, and the column of the number that a seal is bound to."""
INTAKE_SEALS: tuple[tuple[type[models.Model], str, Callable[[Any], str]], ...] = (
    (SignUp, "sealed_address", lambda _row: sign_up.PURPOSE),
    (Inquiry, "sealed_address", lambda _row: lookup.PURPOSE),
    (ImportChunk, "sealed", lambda row: upload.purpose(row.belongs_to_id, row.position)),
    (SetAsideMail, "sealed", lambda _row: apply.PURPOSE),
)
"""Tables under the intake's seal. They are not sealed anew: they are opened soon, or go.

Whom an answered question is about is not among them: where it cannot be opened any more it says so,
and is asked again.
"""

Row = tuple[int, int, bytes, int]
"""Its key, the number that its seal is bound to, the sealed address and its generation."""


class SomeUnopened(SealBroken):
    """All is sealed anew but rows that none of our keys opens; names them by table and number."""


def reseal(report: Callable[[int], None]) -> int:
    """Brings every address under the newest generation, padded; returns how many were not.

    Two at once do no harm, and whoever leaves meanwhile stays gone. `report` is told after each
    batch. Raises KeyMissing; SomeUnopened once all others are done.
    """
    keys = sealing.worker_keys()
    done = 0
    unopened: list[str] = []
    for model, number in LIST_SEALS:
        found = True
        while found:
            # Once more from the start until there is none: one may have come under older keys.
            found, unopened_now = False, []
            for changes, broken in _batches(model, number, keys):
                unopened_now += broken
                if changes:
                    found, done = True, done + len(changes)
                    report(done)
        unopened += [f"{model._meta.verbose_name} {pk}" for pk in unopened_now]
    if unopened:
        more = len(unopened) - MOST_NAMED
        named = ", ".join(unopened[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise SomeUnopened(f"None of our keys opens {named}. All others are sealed anew.")
    return done


def remaining(keys: WorkerKeys) -> int:
    """How many addresses are to be sealed anew."""
    return sum(_to_seal(model, keys).count() for model, _number in LIST_SEALS)


def knows_newer(keys: WorkerKeys) -> bool:
    """Whether the list is sealed or hashed under a generation that came after all of these."""
    newer = {"key_generation__gt": keys.generation}
    return HashGeneration.objects.filter(generation__gt=keys.hash_generation).exists() or any(
        model._default_manager.filter(**newer).exclude(sealed_address=b"").exists()
        for model, _number in LIST_SEALS
    )


def needs_older(keys: WorkerKeys) -> Iterator[str]:
    """Which tables hold anything that the newest generation alone would not open.

    In the order in which rows move on, so that none slips past: from a form to the list. What no
    key opens needs none.
    """
    newest = keys.newest_alone()
    for table, column, purpose in INTAKE_SEALS:
        rows = table._default_manager.exclude(**{column: b""}).iterator(100)
        sealed = ((bytes(getattr(row, column)), purpose(row)) for row in rows)
        if any(not _opens(newest, *one) and _opens(keys, *one) for one in sealed):
            yield _name(table)
    for model, number in LIST_SEALS:
        older = _older(model, keys).values_list("pk", number, "sealed_address", "key_generation")
        if any(_address(keys, row) is not None for row in older.iterator(BATCH)):
            yield _name(model)


def blank() -> Iterator[str]:
    """Empties every sealed address, each table by itself; yields those that could not be.

    For when the keys are gone: what stays in a table that is locked or broken opens for nobody.
    """
    try:
        connection.ensure_connection()
    except Error as error:
        yield f"the database ({type(error).__name__})"
        return
    tables: list[type[models.Model]] = [Subscriber, StagedReader]
    for model in [*tables, *(table for table, _column, _purpose in INTAKE_SEALS)]:
        try:
            with transaction.atomic():
                _wait_seconds_only()
                if model is Subscriber:
                    model._default_manager.exclude(sealed_address=b"").update(sealed_address=b"")
                else:
                    model._default_manager.all().delete()
        except Error as error:
            yield f"{_name(model)} ({type(error).__name__})"


def _wait_seconds_only() -> None:
    """For whoever else holds the rows, and not until they let go."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")


def _name(model: type[models.Model]) -> str:
    return str(model._meta.verbose_name_plural or model._meta.label)


def _older(model: type[models.Model], keys: WorkerKeys) -> models.QuerySet[Any]:
    rows = model._default_manager.filter(key_generation__lt=keys.generation)
    return rows.exclude(sealed_address=b"").order_by("pk")


def _to_seal(model: type[models.Model], keys: WorkerKeys) -> models.QuerySet[Any]:
    older = Q(key_generation__lt=keys.generation)
    unpadded = Q(key_generation=keys.generation) & ~Q(octets=SEALED_ADDRESS_BYTES)
    rows = model._default_manager.alias(octets=Length("sealed_address"))
    return rows.filter(older | unpadded).exclude(sealed_address=b"").order_by("pk")


def _batches(
    model: type[models.Model], number: str, keys: WorkerKeys
) -> Iterator[tuple[list[Row], list[int]]]:
    """One pass through the table: which rows were sealed anew, and which nobody can open."""
    rows, last = _to_seal(model, keys), None
    while True:
        # From where the last batch ended: what is done need not be looked through again.
        rest = rows if last is None else rows.filter(pk__gt=last)
        with transaction.atomic():
            batch = list(rest.values_list("pk", number, "sealed_address", "key_generation")[:BATCH])
            opened = {row[0]: _address(keys, row) for row in batch}
            good = [row for row in batch if opened[row[0]] is not None]
            _write(model, [(row, str(opened[row[0]])) for row in good], keys)
        if not batch:
            return
        last = batch[-1][0]
        yield good, [row[0] for row in batch if opened[row[0]] is None]


def _write(model: type[models.Model], rows: list[tuple[Row, str]], keys: WorkerKeys) -> None:
    changes = [
        (pk, keys.seal_address(address, number), keys.generation, bytes(sealed))
        for (pk, number, sealed, _generation), address in rows
    ]
    # Only where it is what it was: who has left meanwhile has no address any more.
    columns = ["sealed_address", "key_generation"]
    update_each(model, columns, changes, if_still="sealed_address")


def _address(keys: WorkerKeys, row: Row) -> str | None:
    _pk, number, sealed, generation = row
    try:
        return keys.open_address(bytes(sealed), number, generation)
    except (SealBroken, KeyMissing):
        return None


def _opens(keys: WorkerKeys, sealed: bytes, purpose: str) -> bool:
    try:
        keys.open_intake(sealed, purpose)
    except SealBroken:
        return False
    return True
