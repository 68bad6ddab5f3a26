"""Rotation of the worker's keys: adding generations and dropping old ones.

Each change replaces the file atomically and under a lock, or one of two concurrent rotations would
be lost.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from core import files
from keys import sealing
from keys.sealing import SECRET_BYTES, KeyNotFound, WorkerKeys


def add_generation(worker: Path) -> int:
    """Adds the generation that seals from now on; returns its number.

    Older ones still decrypt. Raises KeyNotFound, OSError and then leaves the file unchanged.
    """
    with files.file_lock(worker.parent):
        keys = sealing.load_worker_keys(worker)
        number, secret = keys.generation + 1, os.urandom(SECRET_BYTES)
        changed = WorkerKeys(
            {**keys.secrets, number: secret},
            {**keys.hash_keys, number: sealing.derive_hash_key(secret)},
        )
        replace_key_file(worker, sealing.serialize_worker_keys(changed))
        return changed.generation


def renew_intake_key(worker: Path, intake: Path) -> bool:
    """Makes the web process seal for the newest generation; False if it does already.

    Every worker must have that generation: one that has not would drop the sign-up.
    Raises KeyNotFound, OSError.
    """
    with files.file_lock(worker.parent):
        keys = sealing.load_worker_keys(worker)
        if intake.exists() and sealing.is_newest_intake_key(keys, intake):
            return False
        replace_key_file(intake, sealing.encode_key(keys.intake_public_key()))
        return True


def drop_generations_before(worker: Path, generation: int) -> list[int]:
    """Drops older generations and returns them. Raises KeyNotFound, OSError.

    The caller has made sure that nothing is sealed with them. Their hash keys stay.
    """
    with files.file_lock(worker.parent):
        keys = sealing.load_worker_keys(worker)
        kept = {number: secret for number, secret in keys.secrets.items() if number >= generation}
        if not kept:
            raise KeyNotFound(f"The key at {worker} has no generation {generation}.")
        older = sorted(set(keys.secrets) - set(kept))
        if older:
            replace_key_file(
                worker, sealing.serialize_worker_keys(WorkerKeys(kept, keys.hash_keys))
            )
        return older


def set_aside_damaged(path: Path) -> Path:
    """Renames a damaged key file; `destroy_keys` finds the new name. Raises OSError."""
    number = next(n for n in itertools.count(1) if not _damaged_path(path, n).exists())
    return path.rename(_damaged_path(path, number))


def _damaged_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.damaged-{number}")


def replace_key_file(path: Path, text: str) -> None:
    """Replaces the file atomically, keeping mode and owner. Raises OSError."""
    with files.atomic_replace(path) as file:
        file.write(text + "\n")
