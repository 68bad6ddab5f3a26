"""Changing the worker's keys: a new generation, and dropping the old ones once nothing needs them.

Each change replaces the whole file at once, and one who changes them waits for another: of two at
once one's generation would be lost.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from core import files
from keys import sealing
from keys.sealing import SECRET_BYTES, KeyMissing, WorkerKeys


def add_generation(worker: Path) -> int:
    """Adds a generation, which workers seal the list with from now on; returns its number.

    What older ones sealed can still be opened. Raises KeyMissing, OSError; then the worker's
    file is as it was.
    """
    with files.locked(worker.parent):
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
    with files.locked(worker.parent):
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
    with files.locked(worker.parent):
        keys = sealing.load_worker_keys(worker)
        kept = {number: secret for number, secret in keys.secrets.items() if number >= than}
        if not kept:
            raise KeyMissing(f"The key at {worker} has no generation {than}.")
        older = sorted(set(keys.secrets) - set(kept))
        if older:
            replace(worker, sealing.worker_lines(WorkerKeys(kept, keys.hash_keys)))
        return older


def put_aside(path: Path) -> Path:
    """Keeps a file that is in the way, under a name that `destroy_keys` finds. Raises OSError."""
    number = next(n for n in itertools.count(1) if not _aside(path, n).exists())
    return path.rename(_aside(path, number))


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.damaged-{number}")


def replace(path: Path, text: str) -> None:
    """The whole file or nothing; with the mode and the owner of the one before. Raises OSError."""
    with files.replaced_file(path) as file:
        file.write(text + "\n")
