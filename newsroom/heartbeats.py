"""Signs of life of the processes that nobody can ask over HTTP: a file's age."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from newsroom.starting import CannotStart

LATEST = {"worker": 60, "beat": 180}
"""Seconds after which a silent process is not well. A worker beats every two, beat each minute."""


def path_of(process: str) -> Path:
    """The file that the process touches."""
    return Path(settings.VAR_DIR) / f"{process}.alive"


def begin(process: str) -> None:
    """The first sign, which shows whether there can be any. Raises CannotStart."""
    try:
        settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        beat(process)
    except OSError as error:
        raise CannotStart(
            f"VAR_DIR is {str(settings.VAR_DIR)!r}, where this user cannot write: "
            f"{error.strerror}. Give it the folder, or set VAR_DIR to another."
        ) from None


def beat(process: str) -> None:
    """One sign."""
    path_of(process).touch()


def seconds_since(process: str, now: float) -> float | None:
    """How long ago the last sign was, by the file system's clock; None if there was none."""
    try:
        return now - path_of(process).stat().st_mtime
    except OSError:
        return None
