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

from newsletter.delivery.relays.status import RelayStatus, relay_statuses
from newsletter.models import Mailing, MailingStatus
from newsletter.models.mailings import NOT_BEGUN
from newsletter.stats.counts import count
from newsletter.stats.progress import Progress

TERMINAL_INTERVAL_SECONDS, LOG_INTERVAL_SECONDS = 1.0, 10.0
"""Between two readings of the ledger, in a terminal and elsewhere."""
MIN_PAUSE_FACTOR = 10
"""The pause is at least so many times as long as the last reading took."""
MIN_BAR_COLUMNS, MAX_BAR_COLUMNS = 10, 40
CLEAR_LINE = "\r\033[K"
SIGINT_EXIT_CODE = 130
CHANGING = frozenset({MailingStatus.APPROVED, MailingStatus.SCHEDULED, MailingStatus.SENDING})
"""In the other states it waits for a person, or is over."""


class Command(BaseCommand):
    """Ends when the mailing ends or waits for a person; only `sent` is a success."""

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
            sys.exit(SIGINT_EXIT_CODE)
        why = f" ({mailing.pause_reason})" if mailing.pause_reason else ""
        last = f"{mailing}: {mailing.get_status_display()}{why}"
        if mailing.status != MailingStatus.SENT:
            raise CommandError(last)
        self.stdout.write(last)

    def watch(self, pk: int) -> Mailing:
        """Returns the mailing once it does not change any more."""
        while True:
            try:
                mailing = self.find(pk)
                took = self.show(mailing)
            except (OperationalError, InterfaceError):
                # Keeps trying, as lanes do.
                connection.close()
                self.write_line("The database does not answer.")
                took = dt.timedelta()
            else:
                if mailing.status not in CHANGING:
                    if self.redraws:
                        self.stdout.write("")
                    return mailing
            time.sleep(max(_interval(self.redraws), took.total_seconds() * MIN_PAUSE_FACTOR))

    def find(self, pk: int) -> Mailing:
        """Raises CommandError for an unknown id."""
        mailings = Mailing.objects.select_related("digest", "edition")
        mailing = mailings.filter(pk=pk).first()
        if mailing is None:
            raise CommandError(
                f"There is no mailing {pk}. `manage.py mailing list` shows which there are."
            )
        return mailing

    def show(self, mailing: Mailing) -> dt.timedelta:
        """Returns how long reading the ledger took."""
        if mailing.status in NOT_BEGUN:
            self.write_line(f"It has not begun. It is due: {mailing.due_at:%Y-%m-%d %H:%M} UTC")
            return dt.timedelta()
        progress = Progress(mailing, count(mailing, timezone.now))
        failing = [one for one in relay_statuses(timezone.now()) if one.state.is_failing]
        self.write_line(progress_line(progress, failing), progress.share)
        return progress.stats.took

    def write_line(self, text: str, share: float | None = None) -> None:
        """In a terminal replaces the last line, with a progress bar; else adds a line."""
        if not self.redraws:
            self.stdout.write(f"{timezone.now():%H:%M:%S} {text}")
            return
        columns = shutil.get_terminal_size().columns - 1
        bar, room = "", min(columns // 4, MAX_BAR_COLUMNS)
        if share is not None and room >= MIN_BAR_COLUMNS:
            bar = f"{'█' * int(share * room):·<{room}} "
        self.stdout.write(CLEAR_LINE + f"{bar}{text}"[:columns], ending="")
        self.stdout.flush()


def progress_line(progress: Progress, failing: Sequence[RelayStatus] = ()) -> str:
    """The figures in one line, the most important first."""
    counts = progress.ledger
    head = f"{progress.percent} % {progress.done}/{counts.audience}"
    if progress.mailing.status == MailingStatus.SENDING:
        head += f", {progress.rate:.{0 if progress.rate >= 10 else 1}f}/s"
    if progress.time_left is not None:
        head += f", {_clock(progress.time_left)} left"
    parts = [head]
    if progress.is_stalled:
        parts.append("no answer for minutes")
    parts += [f"{one.name} {one.health}: {one.state.cause}" for one in failing]
    parts.append(
        f"sent {counts.sent}, failed {counts.failed}, uncertain {counts.uncertain}, "
        f"excluded {counts.excluded}"
    )
    if progress.waiting_for_retry and progress.next_retry_at:
        parts.append(
            f"again from {progress.next_retry_at:%H:%M} UTC on: {progress.waiting_for_retry}"
        )
    return "; ".join(parts)


def _interval(redraws: bool) -> float:
    return TERMINAL_INTERVAL_SECONDS if redraws else LOG_INTERVAL_SECONDS


def _clock(left: dt.timedelta) -> str:
    """1:05:09, or 5:09."""
    seconds = round(left.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
