"""Takes in what came back: bounces and complaints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from newsletter.bounces.obeying import obey
from newsletter.bounces.sources import (
    MOST_TAKEN,
    ImapMailbox,
    SourceBroken,
    take_from_imap,
    take_from_maildir,
)
from newsletter.tasks import enqueue, write_journal
from newsroom.sealing import KeyMissing

TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h: the mail server keeps the mail and comes again."""


class Command(BaseCommand):
    """One mail from a pipe, or all that waits in a Maildir or an IMAP mailbox."""

    help = (
        "Obeys bounces and complaints: one mail from standard input, or with --maildir or --imap "
        "all that waits there. What is obeyed is deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--maildir", type=Path, help="the folder that has new/ and cur/")
        parser.add_argument(
            "--imap", action="store_true", help="the mailbox that BOUNCE_IMAP_URL names"
        )
        parser.add_argument(
            "--recipient", default="", help="the envelope's recipient, as the mail server has it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["maildir"]:
                self.say(take_from_maildir(options["maildir"], self.obey))
            elif options["imap"]:
                mailbox = ImapMailbox.parse(settings.BOUNCE_IMAP_URL)
                self.say(take_from_imap(mailbox, self.obey))
            else:
                self.take_one(options["recipient"])
        except (SourceBroken, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        except (KeyMissing, DatabaseError) as error:
            # A database's own words may quote the row.
            why = str(error) if isinstance(error, KeyMissing) else type(error).__name__
            self.stderr.write(f"Not taken in, try again later: {why}")
            sys.exit(TRY_AGAIN)
        enqueue(write_journal)

    def take_one(self, recipient: str) -> None:
        raw = sys.stdin.buffer.read(MOST_TAKEN)
        while sys.stdin.buffer.read(MOST_TAKEN):
            """A pipe that is not emptied is a fault to the mail server."""
        if not raw.strip():
            raise CommandError("There was no mail on standard input.")
        self.stdout.write(obey(raw, timezone.now(), recipient))

    def obey(self, raw: bytes) -> str:
        return obey(raw, timezone.now())

    def say(self, taken: int) -> None:
        self.stdout.write(f"{taken} mails taken in")
