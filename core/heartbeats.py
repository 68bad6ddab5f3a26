"""Heartbeats of workers and beat, which have no HTTP endpoint.

Each process touches a file, for the health check on its own host, and sets a key in the shared
cache, for /healthz. The key expires, so that no two hosts' clocks are compared.
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

MAX_AGE_SECONDS = {"worker": 60, "intake": 60, "beat": 180}
"""Workers send a heartbeat every two seconds, beat once a minute."""
CACHE_INTERVAL_SECONDS = 20
"""Between two writes to the cache: on SQLite each is a commit."""
_last_cached: dict[str, float] = {}


def heartbeat_path(process: str) -> Path:
    """The file that the process touches."""
    return Path(settings.VAR_DIR) / f"{process}.alive"


def start(process: str) -> None:
    """The first heartbeat. Raises ImproperlyConfigured if VAR_DIR is not writable."""
    try:
        settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        heartbeat_path(process).touch()
    except OSError as error:
        raise ImproperlyConfigured(
            f"VAR_DIR is {str(settings.VAR_DIR)!r}, where this user cannot write: "
            f"{error.strerror}. Give it the folder, or set VAR_DIR to another."
        ) from None


def beat(process: str) -> None:
    """One heartbeat: to the file each time, to the cache now and then."""
    heartbeat_path(process).touch()
    now = time.monotonic()
    if now < _last_cached.get(process, 0) + CACHE_INTERVAL_SECONDS:
        return
    try:
        cache.set(_cache_key(process), 1, MAX_AGE_SECONDS[process])
    except RedisError as error:
        logger.warning(
            "The heartbeat of %s is not in the cache (%s).", process, type(error).__name__
        )
    else:
        _last_cached[process] = now


def is_alive(process: str) -> bool:
    """Whether a process of this kind runs on any host. Raises RedisError."""
    return cache.get(_cache_key(process)) is not None


def age_seconds(process: str, now: float) -> float | None:
    """Since the last heartbeat on this host, by the file's mtime; None without one."""
    try:
        return now - heartbeat_path(process).stat().st_mtime
    except OSError:
        return None


def _cache_key(process: str) -> str:
    return f"alive:{process}"
