"""Whether this worker is shutting down, for tasks that may take a while.

Celery tells its parent process only. This byte is shared with every process forked from it.
"""

from __future__ import annotations

import mmap

_flag = mmap.mmap(-1, 1)


def request_shutdown() -> None:
    """Of this process, its parent and its children, for good."""
    _flag[0] = 1


def is_requested() -> bool:
    """If so, begin nothing new."""
    return bool(_flag[0])
