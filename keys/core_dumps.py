"""No process of ours leaves its memory on a disk when it breaks: an address may be in it."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


def forbid() -> None:
    """For this process and all that it forks, for good.

    The limit alone does not hold where the kernel hands a dump to a program (core(5)); Linux gives
    it nothing of a process that is not dumpable (prctl(2)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _prctl(PR_SET_DUMPABLE, 0)


def are_forbidden() -> bool:
    """Whether it is so: a sandbox may refuse the call."""
    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        return False
    return sys.platform != "linux" or _prctl(PR_GET_DUMPABLE, 0) == 0


def _prctl(option: int, argument: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(option, argument, 0, 0, 0))
