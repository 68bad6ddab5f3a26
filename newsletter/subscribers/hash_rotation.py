"""Moves all keyed hashes of the list to another key generation, in one transaction.

Each generation hashes the hash of the one before, so no address is needed: a suppression has none.
Afterwards a key file without that generation recognises nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, models, transaction

from keys.sealing import WorkerKeys
from newsletter.models import Departure, HashGeneration, StagedSubscriber, Subscriber, Suppression
from newsletter.models.bulk_update import update_each

BATCH_SIZE = 1000
HASHED_MODELS: tuple[type[models.Model], ...] = (
    Subscriber,
    StagedSubscriber,
    Suppression,
    Departure,
)
"""Models with a keyed hash, in the lock order of an unsubscribe."""


@transaction.atomic
def rehash_rows(keys: WorkerKeys, generation: int) -> int:
    """Brings every hash to this generation; returns how many were of an older one.

    Writers to the list wait meanwhile; the sending goes on. Raises KeyNotFound.
    """
    current = HashGeneration.lock_exclusive(keys)
    if current >= generation:
        return 0
    keys.require_hash_generation(generation)
    if connection.vendor == "postgresql":
        # Writers that copy a hash do not lock the generation, so the tables are locked too.
        tables = ", ".join(connection.ops.quote_name(one._meta.db_table) for one in HASHED_MODELS)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
    done = 0
    for model in HASHED_MODELS:
        for batch in _batches(model):
            hashed = [(pk, keys.advance_hash(one, current, generation)) for pk, one in batch]
            update_each(model, ["address_hash"], hashed)
            done += len(batch)
    HashGeneration.objects.update(generation=generation)
    return done


def _batches(model: type[models.Model]) -> Iterator[list[tuple[int, bytes]]]:
    rows = model._default_manager.filter(address_hash__isnull=False).order_by("pk")
    rest = rows
    while True:
        found = rest.values_list("pk", "address_hash")[:BATCH_SIZE]
        batch = [(pk, bytes(address_hash)) for pk, address_hash in found]
        if not batch:
            return
        yield batch
        rest = rows.filter(pk__gt=batch[-1][0])
