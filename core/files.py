"""Files that are whole or not there, readable by their owner alone; and locks on one host.

With nothing but the standard library, so that `keys.destruction` may use it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def new_file(path: Path, encoding: str = "ascii") -> Iterator[TextIO]:
    """On the disk once the block ends, and gone if it fails. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding=encoding, newline="") as file:
            yield file
            sync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """As `new_file`, in the place of the one before and with its mode and owner. Raises OSError.

    A crash or a full disk leaves the one before.
    """
    # A link may lead to an encrypted disk: what is new belongs there too.
    path = path.resolve()
    before = path.stat() if path.exists() else None
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with new_file(beside) as file:
            if before is not None:
                os.fchmod(file.fileno(), before.st_mode & 0o777)
                _give(file.fileno(), before)
            yield file
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _give(descriptor: int, before: os.stat_result) -> None:
    """To the owner of the one before, who could not read it otherwise."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def sync(file: TextIO) -> None:
    """What was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in it durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Waits for whoever else on this host holds this file or folder. A killed process lets go."""
    # Opened anew each time: what was opened before a fork is locked by both.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
