"""Under which generation of the worker's keys this database knows addresses again."""

from __future__ import annotations

from django.db import connection, models

from keys.sealing import WorkerKeys


class HashGeneration(models.Model):
    """One row: all keyed hashes of this database are of this generation, at every moment.

    So whoever copies or compares hashes needs no key, and never meets two hashes of one address.
    """

    generation = models.PositiveSmallIntegerField()

    ROW = 1

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.generation}"

    @classmethod
    def held(cls, keys: WorkerKeys) -> int:
        """The generation to hash addresses with; it stays until the transaction ends.

        Many may hold it at once. A list that begins, begins under the newest. Raises KeyMissing
        where these keys lack it.
        """
        return cls._locked("SHARE", keys)

    @classmethod
    def taken(cls, keys: WorkerKeys) -> int:
        """The same for who changes it: waits until nobody holds it, and nobody will meanwhile."""
        return cls._locked("UPDATE", keys)

    @classmethod
    def _locked(cls, strength: str, keys: WorkerKeys) -> int:
        found = cls._read(strength)
        if found is None:
            cls.objects.get_or_create(pk=cls.ROW, defaults={"generation": keys.hash_generation})
            found = cls._read(strength)
        assert found is not None
        keys.need_hash_generation(found)
        return found

    @classmethod
    def _read(cls, strength: str) -> int | None:
        # Django has no word for FOR SHARE. To SQLite each transaction is the only one.
        lock = f" FOR {strength}" if connection.features.has_select_for_update else ""
        table = connection.ops.quote_name(cls._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT generation FROM {table} WHERE id = %s{lock}", [cls.ROW])  # noqa: S608
            found = cursor.fetchone()
        return int(found[0]) if found else None
