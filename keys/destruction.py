"""Destroying the keys, with nothing but the standard library: it works when all else is broken.

    python -m keys.destruction /path/to/keys [...]

On an SSD, on a disk that journals or copies, and in backups, older bytes of a file may live on.
Nobody can promise more from within: encrypt the disk, and keep the printed page elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from core.files import sync_folder

KEY_FILES = ("worker.key", "links.key", "intake.pub")
"""The one that opens the list first: there may be no time for the others."""


def key_files(places: Iterable[Path]) -> list[Path]:
    """Key files in these folders or at these paths, with what a rotation or a person left beside.

    In the order in which to destroy them. A place that cannot be looked at keeps no other alive.
    """
    wanted: list[tuple[Path, str]] = []
    for place in places:
        for one in dict.fromkeys((place, Path(os.path.realpath(place)))):
            if os.path.isdir(one):
                wanted += [(one, name) for name in KEY_FILES]
            else:
                wanted.append((one.parent, one.name))
    # By kind and not by folder: a path that the settings name comes under its own name.
    order = {name: number for number, name in enumerate(KEY_FILES)}
    wanted.sort(key=lambda one: order.get(one[1], -1))
    found = (path for folder, name in wanted for path in _with_copies(folder, name))
    return list(dict.fromkeys(found))


def _with_copies(folder: Path, name: str) -> list[Path]:
    """The file itself first, then whatever has its name in its own."""
    try:
        names = sorted(one for one in os.listdir(folder) if name in one)
    except OSError:
        # Not ours to list; the file itself may be within reach all the same.
        names = [name]
    names.sort(key=lambda one: one != name)
    return [folder / one for one in names if os.path.isfile(folder / one)]


def shred(paths: Iterable[Path]) -> list[Path]:
    """Overwrites each and removes it; goes on with the next whatever happens. Those that stay."""
    return [path for path in paths if not _shred(path)]


def _shred(path: Path) -> bool:
    with contextlib.suppress(OSError):
        # Whoever protected it from a slip of the hand did not mean this.
        path.chmod(0o600)
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
        sync_folder(path.parent)
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
