"""Checks at the start of a process; errors are one line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from keys import sealing
from keys.sealing import KeyNotFound

EXIT_CODE = 3
"""Tells a process manager not to restart."""


class StartupError(Exception):
    """A configuration error; says what to do."""


@contextlib.contextmanager
def exit_on_startup_error() -> Iterator[None]:
    """Exits with one line if a setting or a key is wrong."""
    try:
        yield
    except ImproperlyConfigured as error:
        _exit(f"Settings: {error}")
    except (StartupError, KeyNotFound) as error:
        _exit(str(error))


def _exit(line: str) -> None:
    # Celery redirects sys.stderr to the log.
    print(line, file=sys.__stderr__, flush=True)
    sys.exit(EXIT_CODE)


def refuse_worker_key(process: str) -> None:
    """In production web and beat must not be able to read the list. Raises StartupError."""
    if not settings.PRODUCTION:
        return
    if settings.WORKER_KEY_FILE is not None:
        raise StartupError(
            f"{process} must not be given the worker's key, or whoever breaks into it reads the "
            "list. Set WORKER_KEY_FILE to none here, and to the key's path for the worker alone."
        )
    for path in sealing.readable_worker_keys():
        raise StartupError(
            f"{process} can read the worker's key at {path}, so whoever breaks into it reads the "
            "list. Give the worker a user and a folder of its own, as docs/installing.md shows."
        )


def require_worker_key() -> None:
    """In production a worker needs its keys. Raises StartupError, KeyNotFound."""
    if not settings.PRODUCTION:
        return
    sealing.links_key()
    if not sealing.intake_key_matches(sealing.worker_keys()):
        raise StartupError(
            f"{settings.INTAKE_KEY_FILE} does not belong to {settings.WORKER_KEY_FILE}, so no "
            "sign-up could be opened. Put back the pair from the same backup."
        )
