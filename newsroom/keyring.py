"""Changing the worker's keys: a new generation, and dropping the old ones once nothing needs them.

Each change replaces the whole file at once: a crash or a full disk leaves the old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from newsroom import sealing
from newsroom.sealing import SECRET_BYTES, WorkerKeys


def add_generation(worker: Path, intake: Path) -> int:
    """Adds a generation and makes it the one that is sealed with; returns its number.

    What older ones sealed can still be opened. Raises KeyMissing, OSError; then the worker's
    file is as it was.
    """
    with _alone(worker.parent):
        keys = sealing.load_worker_keys(worker)
        secrets = {**keys.secrets, keys.generation + 1: os.urandom(SECRET_BYTES)}
        changed = WorkerKeys(secrets, keys.hash_key)
        replace(worker, sealing.worker_lines(changed))
        # Until this is there too, the web process goes on sealing for the generation before.
        replace(intake, sealing.encode(changed.intake_public_key()))
        return changed.generation


def drop_older(worker: Path) -> list[int]:
    """Drops all generations but the newest; returns those dropped. Raises KeyMissing, OSError.

    Whoever calls it has made sure that nothing is sealed with them any more.
    """
    with _alone(worker.parent):
        keys = sealing.load_worker_keys(worker)
        older = sorted(set(keys.secrets) - {keys.generation})
        if older:
            replace(worker, sealing.worker_lines(keys.newest_alone()))
        return older


def replace(path: Path, text: str) -> None:
    """The whole file or nothing; with the mode and the owner of the one before. Raises OSError."""
    before = path.stat() if path.exists() else None
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if before is not None:
                os.fchmod(file.fileno(), before.st_mode & 0o777)
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two who change the keys at once would lose one's generation."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
