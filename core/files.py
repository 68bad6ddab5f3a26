"""Atomic, durable writes of files that only their owner can read, and file locks.

Standard library only, so that `keys.destruction` works when all else is broken.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def atomic_create(path: Path, encoding: str = "ascii") -> Iterator[TextIO]:
    """Creates a file; it is removed if the block fails. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding=encoding, newline="") as file:
            yield file
            fsync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


@contextlib.contextmanager
def atomic_replace(path: Path) -> Iterator[TextIO]:
    """Replaces a file, keeping mode and owner; a crash leaves the old one. Raises OSError."""
    # The target of a symbolic link, which may be on an encrypted disk.
    path = path.resolve()
    old = path.stat() if path.exists() else None
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with atomic_create(temporary) as file:
            if old is not None:
                os.fchmod(file.fileno(), old.st_mode & 0o777)
                _chown(file.fileno(), old)
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_directory(path.parent)


def _chown(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)


def fsync(file: TextIO) -> None:
    """Flushes Python's buffer and the kernel's."""
    file.flush()
    os.fsync(file.fileno())


def fsync_directory(directory: Path) -> None:
    """Makes created and removed names durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_lock(path: str | Path) -> Iterator[None]:
    """An exclusive flock(2) on a file or directory. A killed process releases it."""
    # A new descriptor each time: one that was opened before a fork shares its lock.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
