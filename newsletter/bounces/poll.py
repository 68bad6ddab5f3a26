"""Polls the mailboxes that the settings name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial

from django.conf import settings

from newsletter.bounces.apply import apply_mail
from newsletter.bounces.mailboxes import (
    MailboxUnavailable,
    MailHandler,
    ShouldStop,
    process_imap,
    process_maildir,
)

POLL_INTERVAL = dt.timedelta(minutes=5)
MAX_POLL_DURATION = dt.timedelta(minutes=2)
"""Shorter than the interval, so that no two polls overlap."""

MailSource = Callable[[MailHandler, ShouldStop], int]


def is_configured() -> bool:
    """Whether there is a mailbox to poll; a pipe delivers by itself."""
    return bool(settings.BOUNCE_MAILDIR or settings.BOUNCE_MAILBOX)


def poll_mailboxes(clock: Callable[[], dt.datetime]) -> int:
    """Processes and deletes waiting mail; returns how many mails.

    Raises MailboxUnavailable, once the other mailbox is polled too; KeyNotFound.
    """
    started_at = clock()
    done, errors = 0, []
    for process in _mailboxes():
        try:
            done += process(
                lambda raw: apply_mail(raw, clock()),
                lambda: clock() - started_at >= MAX_POLL_DURATION,
            )
        except MailboxUnavailable as error:
            errors.append(str(error))
    if errors:
        raise MailboxUnavailable(" ".join(errors))
    return done


def _mailboxes() -> Iterator[MailSource]:
    if settings.BOUNCE_MAILDIR:
        yield partial(process_maildir, settings.BOUNCE_MAILDIR)
    if settings.BOUNCE_MAILBOX:
        yield partial(process_imap, settings.BOUNCE_MAILBOX)
