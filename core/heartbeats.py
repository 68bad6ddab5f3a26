"""Signs of life of the processes that nobody can ask over HTTP.

Each touches a file, which says of this machine's own process whether it is well, and leaves a
sign in the cache that all processes share, which says of the newsroom whether one lives anywhere.
The sign goes by itself: no two machines' clocks are compared.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LATEST = {"worker": 60, "intake": 60, "beat": 180}
"""Seconds after which a silent process is not well. Workers beat every two, beat each minute."""
SHOWN_EVERY = 20
"""Seconds between two signs in the shared place: on SQLite each is a commit."""
_shown: dict[str, float] = {}


def path_of(process: str) -> Path:
    """The file that the process touches."""
    return Path(settings.VAR_DIR) / f"{process}.alive"


def begin(process: str) -> None:
    """The first sign, which shows whether there can be any. Raises ImproperlyConfigured."""
    try:
        settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        path_of(process).touch()
    except OSError as error:
        raise ImproperlyConfigured(
            f"VAR_DIR is {str(settings.VAR_DIR)!r}, where this user cannot write: "
            f"{error.strerror}. Give it the folder, or set VAR_DIR to another."
        ) from None


def beat(process: str) -> None:
    """One sign: here each time, to the others now and then."""
    path_of(process).touch()
    now = time.monotonic()
    if now < _shown.get(process, 0) + SHOWN_EVERY:
        return
    try:
        cache.set(_sign_of(process), 1, LATEST[process])
    except RedisError as error:
        # Whoever asks is told that it is silent; the next sign comes in two seconds.
        logger.warning("No sign of life of %s for the others (%s).", process, type(error).__name__)
    else:
        _shown[process] = now


def lives(process: str) -> bool:
    """Whether one of its kind has given a sign lately, on whichever machine. Raises RedisError."""
    return cache.get(_sign_of(process)) is not None


def seconds_since(process: str, now: float) -> float | None:
    """How long ago this machine's last sign was, by the file system's clock; None without one."""
    try:
        return now - path_of(process).stat().st_mtime
    except OSError:
        return None


def _sign_of(process: str) -> str:
    return f"alive:{process}"
