"""The journal of departures, for an administrator after a restore."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from newsletter.models import Departure
from newsletter.subscribers import departures
from newsletter.subscribers.departures import JournalBroken


class Command(BaseCommand):
    """Hears what the database has missed, and writes down what waits."""

    help = (
        "Brings the database and the journal of departures into step, as a worker does by itself. "
        "Runs where the worker's key and the journal are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--start-anew",
            action="store_true",
            help="the journal is lost for good: begin a new one, and let letters leave again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set: the journal is kept there.")
        try:
            if options["start_anew"]:
                departures.start_anew()
                self.stdout.write(f"Began a new journal: {settings.JOURNAL_FILE}")
            heard, written = departures.catch_up(), departures.write_down()
        except (JournalBroken, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{heard} lines heard, {written} written; {Departure.objects.count()} wait. "
            f"The journal is {settings.JOURNAL_FILE}"
        )
