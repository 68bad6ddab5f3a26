"""Processes bounces and complaints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from keys.sealing import KeyNotFound
from newsletter.bounces.apply import apply_mail
from newsletter.bounces.mailboxes import (
    MAX_MAIL_BYTES,
    MailboxUnavailable,
    MailHandler,
    process_imap,
    process_maildir,
)
from newsletter.tasks import enqueue, write_departures_log

EX_TEMPFAIL = 75
"""Of sysexits.h: the mail server keeps the mail and retries."""


class Command(BaseCommand):
    """One mail from a pipe, or all mails of a Maildir or an IMAP mailbox."""

    help = (
        "Processes bounces and complaints: one mail from standard input, or with --maildir or "
        "--imap all that wait there. Processed mails are deleted."
    )

    # A mail server takes a failed check for a permanent failure.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--maildir", type=Path, help="the folder that has new/ and cur/")
        parser.add_argument(
            "--imap", action="store_true", help="the mailbox that BOUNCE_IMAP_URL names"
        )
        parser.add_argument(
            "--recipient",
            default="",
            help="the envelope recipient; by default the variable ORIGINAL_RECIPIENT",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["maildir"]:
            self.process_mailbox(partial(process_maildir, options["maildir"]))
        elif options["imap"]:
            if settings.BOUNCE_MAILBOX is None:
                raise CommandError("BOUNCE_IMAP_URL is not set, so there is no mailbox.")
            self.process_mailbox(partial(process_imap, settings.BOUNCE_MAILBOX))
        else:
            self.process_stdin(options["recipient"] or os.environ.get("ORIGINAL_RECIPIENT", ""))
        enqueue(write_departures_log)

    def process_mailbox(self, process: Callable[[MailHandler], int]) -> None:
        try:
            done = process(lambda raw: apply_mail(raw, timezone.now()))
        except (MailboxUnavailable, KeyNotFound) as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            # Its message may quote the row.
            raise CommandError(f"The database failed ({type(error).__name__}).") from None
        self.stdout.write(f"{done} mails processed")

    def process_stdin(self, recipient: str) -> None:
        """Silent on success: a mail server logs the output."""
        raw = sys.stdin.buffer.read(MAX_MAIL_BYTES)
        while sys.stdin.buffer.read(MAX_MAIL_BYTES):
            """A pipe that is not read to its end is an error to the mail server."""
        if not raw.strip():
            raise CommandError("There was no mail on standard input.")
        try:
            apply_mail(raw, timezone.now(), recipient)
        except Exception as error:
            # Whatever it is, the mail server keeps the mail and retries.
            reason = str(error) if isinstance(error, KeyNotFound) else type(error).__name__
            self.stderr.write(f"Not processed, try again later: {reason}")
            sys.exit(EX_TEMPFAIL)
