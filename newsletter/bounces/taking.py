"""Emptying the places that the settings name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import connection

from newsletter.bounces.obeying import obey
from newsletter.bounces.sources import ImapMailbox, take_from_imap, take_from_maildir
from newsroom.locking import only_one


def is_configured() -> bool:
    """Whether there is anything to empty; a pipe brings its mail by itself."""
    return bool(settings.BOUNCE_MAILDIR or settings.BOUNCE_IMAP_URL)


def take(clock: Callable[[], dt.datetime]) -> int:
    """Obeys and deletes what waits; returns how many mails. Raises SourceBroken, KeyMissing."""
    obey_now = partial(_obey, clock)
    taken = 0
    with only_one(connection, "mail for the return path"):
        if settings.BOUNCE_MAILDIR:
            taken += take_from_maildir(settings.BOUNCE_MAILDIR, obey_now)
        if settings.BOUNCE_IMAP_URL:
            taken += take_from_imap(ImapMailbox.parse(settings.BOUNCE_IMAP_URL), obey_now)
    return taken


def _obey(clock: Callable[[], dt.datetime], raw: bytes) -> None:
    obey(raw, clock())
