"""The keyed hashes of the list under another generation: all of them in one transaction.

Each generation hashes the hash of the one before, so that no address is needed: a suppression has
none. An older key file than the database's recognises nobody from then on. Killed, all is as it
was before.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, models, transaction

from keys.sealing import WorkerKeys
from newsletter.models import Departure, HashGeneration, StagedReader, Subscriber, Suppression
from newsletter.models.bulk_update import update_each

BATCH = 1000
HASHED: tuple[type[models.Model], ...] = (Subscriber, StagedReader, Suppression, Departure)
"""Tables with a keyed hash, in the order in which whoever leaves locks them."""


@transaction.atomic
def carry_on(keys: WorkerKeys, until: int) -> int:
    """Brings every hash under this generation; returns how many were under an older one.

    Whoever writes to the list meanwhile waits; letters go on. Raises KeyMissing.
    """
    since = HashGeneration.taken(keys)
    if since >= until:
        return 0
    keys.need_hash_generation(until)
    if connection.vendor == "postgresql":
        # Whoever copies a hash holds no generation: let them end, and others wait.
        tables = ", ".join(connection.ops.quote_name(one._meta.db_table) for one in HASHED)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
    done = 0
    for model in HASHED:
        for batch in _batches(model):
            hashed = [(pk, keys.carry_hash_on(one, since, until)) for pk, one in batch]
            update_each(model, ["address_hash"], hashed)
            done += len(batch)
    HashGeneration.objects.update(generation=until)
    return done


def _batches(model: type[models.Model]) -> Iterator[list[tuple[int, bytes]]]:
    rows = model._default_manager.filter(address_hash__isnull=False).order_by("pk")
    rest = rows
    while True:
        found = rest.values_list("pk", "address_hash")[:BATCH]
        batch = [(pk, bytes(address_hash)) for pk, address_hash in found]
        if not batch:
            return
        yield batch
        rest = rows.filter(pk__gt=batch[-1][0])
