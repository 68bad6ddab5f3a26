"""One process at a time, whichever database we are on."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from core import files


@contextlib.contextmanager
def only_one(connection: BaseDatabaseWrapper, name: str) -> Iterator[None]:
    """Waits for whoever holds the name at this database, and holds it meanwhile.

    A process that is killed lets go, since it holds its lock by a connection or an open file.
    """
    lock = {"postgresql": _on_postgresql, "sqlite": _on_sqlite}[connection.vendor]
    with lock(connection, name):
        yield


@contextlib.contextmanager
def _on_postgresql(connection: BaseDatabaseWrapper, name: str) -> Iterator[None]:
    # A connection of its own: the lock ends with it, whatever becomes of the other.
    holder = connection.copy()
    try:
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_number(name)])
        yield
    finally:
        holder.close()


def _number(name: str) -> int:
    """PostgreSQL names its advisory locks with signed numbers of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextlib.contextmanager
def _on_sqlite(connection: BaseDatabaseWrapper, _name: str) -> Iterator[None]:
    path = Path(connection.settings_dict["NAME"])
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        yield
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The folder itself is locked, so that no lock file stays behind.
    with files.locked(path.parent):
        yield
