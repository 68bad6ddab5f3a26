"""Destroying the keys, with nothing but the standard library: it works when all else is broken.

    python -m newsroom.shredding /path/to/keys [...]

On an SSD, on a disk that journals or copies, and in backups, older bytes of a file may live on.
Nobody can promise more from within: encrypt the disk, and keep the printed page elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

KEY_FILES = ("worker.key", "links.key", "intake.pub")


def key_files(places: Iterable[Path]) -> list[Path]:
    """Key files in these folders or among these files, with what a rotation left beside them."""
    found: set[Path] = set()
    for place in places:
        if place.is_dir():
            for name in KEY_FILES:
                found |= set(place.glob(f"{name}*")) | set(place.glob(f".{name}*"))
        else:
            found |= {place} if place.exists() else set()
            found |= set(place.parent.glob(f".{place.name}*"))
    return sorted(path for path in found if path.is_file())


def shred(paths: Iterable[Path]) -> list[Path]:
    """Overwrites each and removes it; goes on with the next whatever happens. Those that stay."""
    return [path for path in paths if not _shred(path)]


def _shred(path: Path) -> bool:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, os.urandom(max(path.stat().st_size, 1)))
            os.fsync(descriptor)
            os.ftruncate(descriptor, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    try:
        path.unlink()
    except OSError:
        return False
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return True


def main(arguments: list[str]) -> int:
    """0 once nothing is left of the keys at these places."""
    paths = key_files(map(Path, arguments))
    if not paths:
        print("There is no key at these places.", file=sys.stderr)
        return 1
    left = shred(paths)
    for path in paths:
        print(f"{'Could not destroy' if path in left else 'Destroyed'} {path}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
