"""A mailing's progress in a terminal."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from newsletter.delivery.relays.status import Standing, standings
from newsletter.models import Mailing, MailingStatus
from newsletter.models.mailings import NOT_BEGUN
from newsletter.stats import counts as tallying
from newsletter.stats.progress import Progress

EACH, SELDOM = 1.0, 10.0
"""Seconds between two looks at the ledger, in a terminal and where each is a line for good."""
SHARE = 10
"""A look that takes long is rarer: so many times as long as it takes."""
SHORTEST_BAR, LONGEST_BAR = 10, 40
BACK = "\r\033[K"
"""To the line's beginning, and what stands there is gone."""
STOPPED_BY_CTRL_C = 130
MOVES = frozenset({MailingStatus.APPROVED, MailingStatus.SCHEDULED, MailingStatus.SENDING})
"""All others stand still until a person does something, or are over."""


class Command(BaseCommand):
    """Ends when the mailing does, or stands still; only a mailing that was sent is a success."""

    help = (
        "Shows how far a mailing is, until it is over or stands still. Ctrl-C ends the watching "
        "only. Where the output is no terminal it writes a line every ten seconds. The exit code "
        "is 0 once it is sent, and 1 if it is paused, held or cancelled."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="as `manage.py mailing list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        self.redraws = self.stdout.isatty()
        try:
            mailing = self.watch(options["id"])
        except KeyboardInterrupt:
            self.stdout.write("\nNo longer watched. The sending goes on.")
            sys.exit(STOPPED_BY_CTRL_C)
        why = f" ({mailing.pause_reason})" if mailing.pause_reason else ""
        last = f"{mailing}: {mailing.get_status_display()}{why}"
        if mailing.status != MailingStatus.SENT:
            raise CommandError(last)
        self.stdout.write(last)

    def watch(self, pk: int) -> Mailing:
        """Returns the mailing once there is nothing more to see."""
        while True:
            try:
                mailing = self.find(pk)
                took = self.show(mailing)
            except (OperationalError, InterfaceError):
                # It comes back, as it does for the lanes.
                connection.close()
                self.say("The database does not answer.")
                took = dt.timedelta()
            else:
                if mailing.status not in MOVES:
                    if self.redraws:
                        self.stdout.write("")
                    return mailing
            time.sleep(max(EACH if self.redraws else SELDOM, took.total_seconds() * SHARE))

    def find(self, pk: int) -> Mailing:
        """Raises CommandError for one that there is not, and names those that there are."""
        mailings = Mailing.objects.select_related("digest", "edition")
        mailing = mailings.filter(pk=pk).first()
        if mailing is None:
            raise CommandError(
                f"There is no mailing {pk}. `manage.py mailing list` shows which there are."
            )
        return mailing

    def show(self, mailing: Mailing) -> dt.timedelta:
        """Returns how long the look at the ledger took."""
        if mailing.status in NOT_BEGUN:
            self.say(f"It has not begun. It is due: {mailing.due_at:%Y-%m-%d %H:%M} UTC")
            return dt.timedelta()
        progress = Progress(mailing, tallying.count(mailing, timezone.now))
        failing = [one for one in standings(timezone.now()) if one.state.is_failing]
        self.say(told(progress, failing), progress.share)
        return progress.tally.took

    def say(self, text: str, share: float | None = None) -> None:
        """Over the last line in a terminal, with a bar as wide as there is room; else a line."""
        if not self.redraws:
            self.stdout.write(f"{timezone.now():%H:%M:%S} {text}")
            return
        columns = shutil.get_terminal_size().columns - 1
        bar, room = "", min(columns // 4, LONGEST_BAR)
        if share is not None and room >= SHORTEST_BAR:
            bar = f"{'█' * int(share * room):·<{room}} "
        self.stdout.write(BACK + f"{bar}{text}"[:columns], ending="")
        self.stdout.flush()


def told(progress: Progress, failing: Sequence[Standing] = ()) -> str:
    """The figures in one line, the most wanted first."""
    counts = progress.ledger
    head = f"{progress.percent} % {progress.done}/{counts.audience}"
    if progress.mailing.status == MailingStatus.SENDING:
        head += f", {progress.rate:.{0 if progress.rate >= 10 else 1}f}/s"
    if progress.left is not None:
        head += f", {_clock(progress.left)} left"
    said = [head]
    if progress.stands_still:
        said.append("no answer for minutes")
    said += [f"{one.name} {one.word}: {one.state.cause}" for one in failing]
    said.append(
        f"sent {counts.sent}, failed {counts.failed}, uncertain {counts.uncertain}, "
        f"excluded {counts.excluded}"
    )
    if progress.tried_again_later and progress.next_try:
        said.append(f"again from {progress.next_try:%H:%M} UTC on: {progress.tried_again_later}")
    return "; ".join(said)


def _clock(left: dt.timedelta) -> str:
    """1:05:09, or 5:09."""
    seconds = round(left.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
