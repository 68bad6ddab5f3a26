"""Core dumps are off: a process's memory may hold subscribers' addresses."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


def disable() -> None:
    """For this process and its children.

    RLIMIT_CORE does not apply where the kernel pipes dumps to a program (core(5)), so on Linux the
    process is made undumpable too (prctl(2)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def are_disabled() -> bool:
    """False where a sandbox refused the call."""
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        return False
    return sys.platform != "linux" or _prctl(PR_GET_DUMPABLE, 0) == 0


def _prctl(option: int, argument: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(option, argument, 0, 0, 0))
