"""A named lock in the database, so that one process works at a time."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from core import files


@contextlib.contextmanager
def advisory_lock(connection: BaseDatabaseWrapper, name: str) -> Iterator[None]:
    """Blocks until no other process holds the name. A killed process releases it."""
    lock = {"postgresql": _on_postgresql, "sqlite": _on_sqlite}[connection.vendor]
    with lock(connection, name):
        yield


@contextlib.contextmanager
def _on_postgresql(connection: BaseDatabaseWrapper, name: str) -> Iterator[None]:
    # A separate connection, so that closing it releases the lock.
    lock_connection = connection.copy()
    try:
        with lock_connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_lock_id(name)])
        yield
    finally:
        lock_connection.close()


def _lock_id(name: str) -> int:
    """PostgreSQL takes a signed integer of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextlib.contextmanager
def _on_sqlite(connection: BaseDatabaseWrapper, _name: str) -> Iterator[None]:
    path = Path(connection.settings_dict["NAME"])
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        yield
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The directory itself, so that no lock file is left behind.
    with files.file_lock(path.parent):
        yield
