"""A mailing's progress in a terminal."""

from __future__ import annotations

import time
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from newsletter import mailing as mailings
from newsletter.mailing import Ledger
from newsletter.models import Mailing, MailingStatus

WIDTH = 40
EACH = 1.0
"""Seconds between two looks at the ledger."""
NOTHING_TO_WATCH = frozenset(
    {MailingStatus.SENT, MailingStatus.CANCELLED, MailingStatus.HELD, MailingStatus.PAUSED}
)


class Command(BaseCommand):
    """Looks at the ledger each second; ends when the mailing does, or stands still."""

    help = "Shows how far a mailing is, until it is over. Ctrl-C ends the watching only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        began, at_first = time.monotonic(), None
        while True:
            mailing = (
                Mailing.objects.select_related("digest", "edition").filter(pk=options["id"]).first()
            )
            if mailing is None:
                raise CommandError(f"There is no mailing {options['id']}.")
            counts = mailings.ledger(mailing)
            done = counts.audience - counts.still_to_send
            at_first = done if at_first is None else at_first
            self.show(counts, done, (done - at_first) / max(time.monotonic() - began, EACH))
            if mailing.status in NOTHING_TO_WATCH:
                break
            time.sleep(EACH)
        why = f": {mailing.pause_reason}" if mailing.pause_reason else ""
        self.stdout.write(f"\n{mailing}: {mailing.get_status_display()}{why}")

    def show(self, counts: Ledger, done: int, rate: float) -> None:
        share = done / counts.audience if counts.audience else 1
        bar = "█" * round(share * WIDTH)
        left = counts.still_to_send / rate if rate else 0
        until = f", {left // 60:.0f}:{left % 60:02.0f} left" if rate and left else ""
        self.stdout.write(
            f"\r{bar:·<{WIDTH}} {done}/{counts.audience}, {rate:.0f}/s{until}; sent {counts.sent}, "
            f"failed {counts.failed}, uncertain {counts.uncertain}   ",
            ending="",
        )
        self.stdout.flush()
