"""Re-encrypts the list, in batches; safe to be killed.

After a key rotation; and after an upgrade, for seals from before addresses were padded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import Error, connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Length

from keys import sealing
from keys.sealing import SEALED_ADDRESS_BYTES, DecryptionError, KeyNotFound, WorkerKeys
from newsletter.bounces import apply
from newsletter.imports import upload
from newsletter.models import (
    HashGeneration,
    ImportChunk,
    QuarantinedMail,
    SignUp,
    StagedSubscriber,
    Subscriber,
    SubscriberLookup,
)
from newsletter.models.bulk_update import update_each
from newsletter.subscribers import lookup, sign_up

BATCH_SIZE = 1000
MAX_NAMED_ROWS = 20

LIST_SEALS: tuple[tuple[type[models.Model], str], ...] = (
    # Rows move from here to the list: in this order none is missed.
    (StagedSubscriber, "reader"),
    (Subscriber, "id"),
)
"""Models under the list seal, and the field of the id that a seal is bound to."""
INTAKE_SEALS: tuple[tuple[type[models.Model], str, Callable[[Any], str]], ...] = (
    (SignUp, "sealed_address", lambda _row: sign_up.PURPOSE),
    (SubscriberLookup, "sealed_address", lambda _row: lookup.PURPOSE),
    (ImportChunk, "sealed", lambda row: upload.chunk_purpose(row.belongs_to_id, row.position)),
    (QuarantinedMail, "sealed", lambda _row: apply.PURPOSE),
)
"""Models under the intake seal. They are not re-encrypted: they are short-lived.

The sealed subject of an answered lookup is not among them: where it cannot be opened any more, the
lookup says so.
"""

SealedRow = tuple[int, int, bytes, int]
"""Primary key, the id that the seal is bound to, sealed address, key generation."""


class SomeUndecryptable(DecryptionError):
    """Some rows open with none of the keys; names them by model and id. All others are done."""


def reencrypt(report: Callable[[int], None]) -> int:
    """Brings every address to the newest generation, padded; returns how many changed.

    Safe to run twice at once and beside unsubscribes. `report` gets the progress after each batch.
    Raises KeyNotFound; SomeUndecryptable once all others are done.
    """
    keys = sealing.worker_keys()
    done = 0
    undecryptable: list[str] = []
    for model, number in LIST_SEALS:
        found = True
        while found:
            # Repeated until there is none: another process may have added one under older keys.
            found, failed_now = False, []
            for changed, failed in _batches(model, number, keys):
                failed_now += failed
                if changed:
                    found, done = True, done + len(changed)
                    report(done)
        undecryptable += [f"{model._meta.verbose_name} {pk}" for pk in failed_now]
    if undecryptable:
        more = len(undecryptable) - MAX_NAMED_ROWS
        named = ", ".join(undecryptable[:MAX_NAMED_ROWS])
        named += f" and {more} more" if more > 0 else ""
        raise SomeUndecryptable(f"None of the keys opens {named}. All others are re-encrypted.")
    return done


def count_remaining(keys: WorkerKeys) -> int:
    """How many addresses are to be re-encrypted."""
    return sum(_to_reencrypt(model, keys).count() for model, _number in LIST_SEALS)


def has_newer_generation(keys: WorkerKeys) -> bool:
    """Whether the list is sealed or hashed under a newer generation than these keys have."""
    newer = {"key_generation__gt": keys.generation}
    return HashGeneration.objects.filter(generation__gt=keys.hash_generation).exists() or any(
        model._default_manager.filter(**newer).exclude(sealed_address=b"").exists()
        for model, _number in LIST_SEALS
    )


def tables_needing_older_keys(keys: WorkerKeys) -> Iterator[str]:
    """Names of the models with anything that the newest generation alone does not open.

    In the order in which rows move, from form to list, so that none is missed. Rows that no key
    opens do not count.
    """
    newest = keys.newest_only()
    for table, column, purpose in INTAKE_SEALS:
        rows = table._default_manager.exclude(**{column: b""}).iterator(100)
        sealed = ((bytes(getattr(row, column)), purpose(row)) for row in rows)
        if any(not _opens(newest, *one) and _opens(keys, *one) for one in sealed):
            yield _name(table)
    for model, number in LIST_SEALS:
        older = _of_older_generation(model, keys).values_list(
            "pk", number, "sealed_address", "key_generation"
        )
        if any(_address(keys, row) is not None for row in older.iterator(BATCH_SIZE)):
            yield _name(model)


def erase_sealed_data() -> Iterator[str]:
    """Erases every sealed address, model by model; yields the names of those that failed.

    For when the keys are destroyed: what remains opens for nobody.
    """
    try:
        connection.ensure_connection()
    except Error as error:
        yield f"the database ({type(error).__name__})"
        return
    tables: list[type[models.Model]] = [Subscriber, StagedSubscriber]
    for model in [*tables, *(table for table, _column, _purpose in INTAKE_SEALS)]:
        try:
            with transaction.atomic():
                _limit_lock_wait()
                if model is Subscriber:
                    model._default_manager.exclude(sealed_address=b"").update(sealed_address=b"")
                else:
                    model._default_manager.all().delete()
        except Error as error:
            yield f"{_name(model)} ({type(error).__name__})"


def _limit_lock_wait() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")


def _name(model: type[models.Model]) -> str:
    return str(model._meta.verbose_name_plural or model._meta.label)


def _of_older_generation(model: type[models.Model], keys: WorkerKeys) -> models.QuerySet[Any]:
    rows = model._default_manager.filter(key_generation__lt=keys.generation)
    return rows.exclude(sealed_address=b"").order_by("pk")


def _to_reencrypt(model: type[models.Model], keys: WorkerKeys) -> models.QuerySet[Any]:
    older = Q(key_generation__lt=keys.generation)
    unpadded = Q(key_generation=keys.generation) & ~Q(octets=SEALED_ADDRESS_BYTES)
    rows = model._default_manager.alias(octets=Length("sealed_address"))
    return rows.filter(older | unpadded).exclude(sealed_address=b"").order_by("pk")


def _batches(
    model: type[models.Model], number: str, keys: WorkerKeys
) -> Iterator[tuple[list[SealedRow], list[int]]]:
    """One pass: the rows that were re-encrypted, and the ids of those that no key opens."""
    rows, last = _to_reencrypt(model, keys), None
    while True:
        rest = rows if last is None else rows.filter(pk__gt=last)
        with transaction.atomic():
            batch = list(
                rest.values_list("pk", number, "sealed_address", "key_generation")[:BATCH_SIZE]
            )
            opened = {row[0]: _address(keys, row) for row in batch}
            good = [row for row in batch if opened[row[0]] is not None]
            _write(model, [(row, str(opened[row[0]])) for row in good], keys)
        if not batch:
            return
        last = batch[-1][0]
        yield good, [row[0] for row in batch if opened[row[0]] is None]


def _write(model: type[models.Model], rows: list[tuple[SealedRow, str]], keys: WorkerKeys) -> None:
    changes = [
        (pk, keys.seal_address(address, number), keys.generation, bytes(sealed))
        for (pk, number, sealed, _generation), address in rows
    ]
    # Compare and swap: an unsubscribe may have erased the address meanwhile.
    columns = ["sealed_address", "key_generation"]
    update_each(model, columns, changes, if_still="sealed_address")


def _address(keys: WorkerKeys, row: SealedRow) -> str | None:
    _pk, number, sealed, generation = row
    try:
        return keys.open_address(bytes(sealed), number, generation)
    except (DecryptionError, KeyNotFound):
        return None


def _opens(keys: WorkerKeys, sealed: bytes, purpose: str) -> bool:
    try:
        keys.open_intake(sealed, purpose)
    except DecryptionError:
        return False
    return True
