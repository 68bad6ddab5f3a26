"""Whether this worker was told to stop, for work that may take a while.

Celery asks its parent process alone. The byte is shared with every process forked from it.
"""

from __future__ import annotations

import mmap

_told = mmap.mmap(-1, 1)


def tell() -> None:
    """To this process, its parent and its children, for good."""
    _told[0] = 1


def is_told() -> bool:
    """Then nothing new is begun."""
    return bool(_told[0])
