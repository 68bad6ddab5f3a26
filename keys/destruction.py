"""Destruction of the keys. Standard library only, so that it works when all else is broken.

    python -m keys.destruction /path/to/keys [...]

SSDs, journaling file systems and backups may keep overwritten bytes: encrypt the
disk, and keep the paper backup elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from core.files import fsync_directory

KEY_FILES = ("worker.key", "links.key", "intake.pub")
"""In order: there may be no time for more than the one that decrypts the list."""


def find_key_files(paths: Iterable[Path]) -> list[Path]:
    """Key files at these paths or in these directories, and copies beside them, in order.

    A directory that cannot be read does not protect the others.
    """
    wanted: list[tuple[Path, str]] = []
    for given in paths:
        for path in dict.fromkeys((given, Path(os.path.realpath(given)))):
            if os.path.isdir(path):
                wanted += [(path, name) for name in KEY_FILES]
            else:
                wanted.append((path.parent, path.name))
    # By kind, not by directory; a path under another name comes first.
    order = {name: number for number, name in enumerate(KEY_FILES)}
    wanted.sort(key=lambda pair: order.get(pair[1], -1))
    found = (path for directory, name in wanted for path in _with_copies(directory, name))
    return list(dict.fromkeys(found))


def _with_copies(directory: Path, name: str) -> list[Path]:
    """The file itself first, then those whose names contain its name."""
    try:
        names = sorted(entry for entry in os.listdir(directory) if name in entry)
    except OSError:
        # The file may be accessible although its directory cannot be listed.
        names = [name]
    names.sort(key=lambda entry: entry != name)
    return [directory / entry for entry in names if os.path.isfile(directory / entry)]


def destroy_files(paths: Iterable[Path]) -> list[Path]:
    """Overwrites and removes each file. Returns those that could not be removed."""
    return [path for path in paths if not _destroy(path)]


def _destroy(path: Path) -> bool:
    with contextlib.suppress(OSError):
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
        fsync_directory(path.parent)
    return True


def main(arguments: list[str]) -> int:
    """The exit status: 0 if every key file was destroyed."""
    paths = find_key_files(map(Path, arguments))
    if not paths:
        print("There is no key file at these paths.", file=sys.stderr)
        return 1
    remaining = destroy_files(paths)
    for path in paths:
        print(f"{'Could not destroy' if path in remaining else 'Destroyed'} {path}")
    return 1 if remaining else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
