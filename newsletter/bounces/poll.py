"""Emptying the places that the settings name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial

from django.conf import settings

from newsletter.bounces.apply import obey
from newsletter.bounces.mailboxes import (
    IsOver,
    Obey,
    SourceBroken,
    take_from_imap,
    take_from_maildir,
)

EVERY = dt.timedelta(minutes=5)
TURN = dt.timedelta(minutes=2)
"""Shorter than the time between two, so that no two work at once and none holds up a letter."""

Take = Callable[[Obey, IsOver], int]


def is_configured() -> bool:
    """Whether there is anything to empty; a pipe brings its mail by itself."""
    return bool(settings.BOUNCE_MAILDIR or settings.BOUNCE_MAILBOX)


def take(clock: Callable[[], dt.datetime]) -> int:
    """Obeys and deletes what waits; returns how many mails.

    Raises SourceBroken, once the other place is emptied too; KeyMissing.
    """
    began = clock()
    taken, broken = 0, []
    for place in _places():
        try:
            taken += place(partial(_obey, clock), lambda: clock() - began >= TURN)
        except SourceBroken as error:
            broken.append(str(error))
    if broken:
        raise SourceBroken(" ".join(broken))
    return taken


def _places() -> Iterator[Take]:
    if settings.BOUNCE_MAILDIR:
        yield partial(take_from_maildir, settings.BOUNCE_MAILDIR)
    if settings.BOUNCE_MAILBOX:
        yield partial(take_from_imap, settings.BOUNCE_MAILBOX)


def _obey(clock: Callable[[], dt.datetime], raw: bytes) -> None:
    obey(raw, clock())
