"""Changing the worker's keys: a new generation, and dropping the old ones once nothing needs them.

Each change replaces the whole file at once: a crash or a full disk leaves the old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from newsroom import sealing
from newsroom.sealing import SECRET_BYTES, KeyMissing, WorkerKeys


def add_generation(worker: Path) -> int:
    """Adds a generation, which workers seal the list with from now on; returns its number.

    What older ones sealed can still be opened. Raises KeyMissing, OSError; then the worker's
    file is as it was.
    """
    with _alone(worker.parent):
        keys = sealing.load_worker_keys(worker)
        number, secret = keys.generation + 1, os.urandom(SECRET_BYTES)
        changed = WorkerKeys(
            {**keys.secrets, number: secret},
            {**keys.hash_keys, number: sealing.hash_key_of(secret)},
        )
        replace(worker, sealing.worker_lines(changed))
        return changed.generation


def renew_intake(worker: Path, intake: Path) -> bool:
    """Has the web process seal for the newest generation; False if it does already.

    Only once every worker has that generation: one that has not would drop the sign-up as foreign.
    Raises KeyMissing, OSError.
    """
    with _alone(worker.parent):
        keys = sealing.load_worker_keys(worker)
        if intake.exists() and sealing.intake_key_is_newest(keys, intake):
            return False
        replace(intake, sealing.encode(keys.intake_public_key()))
        return True


def drop_older(worker: Path, than: int) -> list[int]:
    """Drops the generations before `than`; returns those dropped. Raises KeyMissing, OSError.

    Whoever calls it has made sure that nothing is sealed with them any more. One that was added
    since then is no reason to drop more. Their hash keys stay: they open nothing.
    """
    with _alone(worker.parent):
        keys = sealing.load_worker_keys(worker)
        kept = {number: secret for number, secret in keys.secrets.items() if number >= than}
        if not kept:
            raise KeyMissing(f"The key at {worker} has no generation {than}.")
        older = sorted(set(keys.secrets) - set(kept))
        if older:
            replace(worker, sealing.worker_lines(WorkerKeys(kept, keys.hash_keys)))
        return older


def put_aside(path: Path) -> Path:
    """Keeps a file that is in the way, under a name that `shred_list` finds. Raises OSError."""
    number = next(n for n in itertools.count(1) if not _aside(path, n).exists())
    return path.rename(_aside(path, number))


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.damaged-{number}")


def replace(path: Path, text: str) -> None:
    """The whole file or nothing; with the mode and the owner of the one before. Raises OSError."""
    # A link may lead to an encrypted disk: the new key belongs there too.
    path = path.resolve()
    before = path.stat() if path.exists() else None
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if before is not None:
                os.fchmod(file.fileno(), before.st_mode & 0o777)
                _give(file.fileno(), before)
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give(descriptor: int, before: os.stat_result) -> None:
    """To the owner of the one before, who could not read it otherwise. Raises OSError."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two who change the keys at once would lose one's generation."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
