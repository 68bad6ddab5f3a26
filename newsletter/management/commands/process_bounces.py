"""Takes in what came back: bounces and complaints."""

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

from keys.sealing import KeyMissing
from newsletter.bounces.apply import obey
from newsletter.bounces.mailboxes import (
    MOST_TAKEN,
    Obey,
    SourceBroken,
    take_from_imap,
    take_from_maildir,
)
from newsletter.tasks import enqueue, write_journal

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the mail and comes again."""


class Command(BaseCommand):
    """One mail from a pipe, or all that waits in a Maildir or an IMAP mailbox."""

    help = (
        "Obeys bounces and complaints: one mail from standard input, or with --maildir or --imap "
        "all that waits there. What is obeyed is deleted."
    )

    # A mail server takes a failed check for a refusal, and gives the mail up.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--maildir", type=Path, help="the folder that has new/ and cur/")
        parser.add_argument(
            "--imap", action="store_true", help="the mailbox that BOUNCE_IMAP_URL names"
        )
        parser.add_argument(
            "--recipient",
            default="",
            help="the envelope's recipient, as the mail server has it; else ORIGINAL_RECIPIENT",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["maildir"]:
            self.take_all(partial(take_from_maildir, options["maildir"]))
        elif options["imap"]:
            if settings.BOUNCE_MAILBOX is None:
                raise CommandError("BOUNCE_IMAP_URL is not set, so there is no mailbox.")
            self.take_all(partial(take_from_imap, settings.BOUNCE_MAILBOX))
        else:
            self.take_one(options["recipient"] or os.environ.get("ORIGINAL_RECIPIENT", ""))
        enqueue(write_journal)

    def take_all(self, take: Callable[[Obey], int]) -> None:
        try:
            taken = take(lambda raw: obey(raw, timezone.now()))
        except (SourceBroken, KeyMissing) as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            # Its own words may quote the row.
            raise CommandError(f"The database failed ({type(error).__name__}).") from None
        self.stdout.write(f"{taken} mails taken in")

    def take_one(self, recipient: str) -> None:
        """Says nothing where it goes well: a mail server writes what it hears into its log."""
        raw = sys.stdin.buffer.read(MOST_TAKEN)
        while sys.stdin.buffer.read(MOST_TAKEN):
            """A pipe that is not emptied is a fault to the mail server."""
        if not raw.strip():
            raise CommandError("There was no mail on standard input.")
        try:
            obey(raw, timezone.now(), recipient)
        except Exception as error:
            # Whatever it is, the mail server keeps the mail and somebody mends it meanwhile.
            why = str(error) if isinstance(error, KeyMissing) else type(error).__name__
            self.stderr.write(f"Not taken in, try again later: {why}")
            sys.exit(TRY_AGAIN)
