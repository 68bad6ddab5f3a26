"""Which generation of the worker's keys made the keyed hashes in this database."""

from __future__ import annotations

from django.db import connection, models

from keys.sealing import WorkerKeys


class HashGeneration(models.Model):
    """One row: the generation of every keyed hash in this database.

    So hashes can be copied and compared without a key: an address never has two of them.
    """

    generation = models.PositiveSmallIntegerField()

    ROW = 1

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.generation}"

    @classmethod
    def lock_shared(cls, keys: WorkerKeys) -> int:
        """The generation to hash with, locked FOR SHARE until the transaction ends.

        An empty list starts with the newest. Raises KeyNotFound if `keys` lacks the generation.
        """
        return cls._locked("SHARE", keys)

    @classmethod
    def lock_exclusive(cls, keys: WorkerKeys) -> int:
        """The same FOR UPDATE, to change the generation."""
        return cls._locked("UPDATE", keys)

    @classmethod
    def _locked(cls, strength: str, keys: WorkerKeys) -> int:
        found = cls._read(strength)
        if found is None:
            cls.objects.get_or_create(pk=cls.ROW, defaults={"generation": keys.hash_generation})
            found = cls._read(strength)
        assert found is not None
        keys.require_hash_generation(found)
        return found

    @classmethod
    def _read(cls, strength: str) -> int | None:
        # Django has no FOR SHARE. SQLite allows one writing transaction at a time anyway.
        lock = f" FOR {strength}" if connection.features.has_select_for_update else ""
        table = connection.ops.quote_name(cls._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT generation FROM {table} WHERE id = %s{lock}", [cls.ROW])  # noqa: S608
            found = cursor.fetchone()
        return int(found[0]) if found else None
