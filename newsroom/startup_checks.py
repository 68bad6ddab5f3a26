"""How a process begins, or says in one line why it cannot."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from keys import sealing
from keys.sealing import KeyMissing

EXIT_CODE = 3
"""Tells whoever restarts a process that trying again does not help."""


class CannotStart(Exception):
    """Something an administrator has to mend first; says what."""


@contextlib.contextmanager
def or_say_why() -> Iterator[None]:
    """Ends the process with one line where a setting or a key is wrong."""
    try:
        yield
    except ImproperlyConfigured as error:
        _end(f"Settings: {error}")
    except (CannotStart, KeyMissing) as error:
        _end(str(error))


def _end(line: str) -> None:
    # Celery makes log lines of what goes to sys.stderr.
    print(line, file=sys.__stderr__, flush=True)
    sys.exit(EXIT_CODE)


def refuse_worker_key(process: str) -> None:
    """In production the web process and beat must not be able to read the list.

    Raises CannotStart.
    """
    if not settings.PRODUCTION:
        return
    if settings.WORKER_KEY_FILE is not None:
        raise CannotStart(
            f"{process} must not be given the worker's key, or whoever breaks into it reads the "
            "list. Set WORKER_KEY_FILE to none here, and to the key's path for the worker alone."
        )
    for path in sealing.exposed_worker_keys():
        raise CannotStart(
            f"{process} can read the worker's key at {path}, so whoever breaks into it reads the "
            "list. Give the worker a user and a folder of its own, as docs/installing.md shows."
        )


def require_worker_key() -> None:
    """In production a worker without its keys would only fail at every task.

    Raises CannotStart, KeyMissing.
    """
    if not settings.PRODUCTION:
        return
    sealing.links_key()
    if not sealing.intake_key_is_ours(sealing.worker_keys()):
        raise CannotStart(
            f"{settings.INTAKE_KEY_FILE} does not belong to {settings.WORKER_KEY_FILE}, so no "
            "sign-up could be opened. Put back the pair from the same backup."
        )
