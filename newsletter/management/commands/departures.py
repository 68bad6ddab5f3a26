"""Synchronises the database with the departures log, after a restore."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from newsletter.models import Departure
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken


class Command(BaseCommand):
    """Applies the lines that the database has missed, and appends pending departures."""

    help = (
        "Synchronises the database with the departures log, as a worker does by itself. "
        "Runs where the worker's key and the log are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--start-anew",
            action="store_true",
            help="the log is lost for good: begin a new one, and let letters be sent again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set: the log is kept there.")
        try:
            if options["start_anew"]:
                departures.start_new_log()
                self.stdout.write(f"Began a new log: {settings.DEPARTURES_FILE}")
            replayed, appended = departures.replay_missed(), departures.append_pending()
        except (DeparturesLogBroken, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{replayed} lines replayed, {appended} appended; {Departure.objects.count()} pending. "
            f"The log is {settings.DEPARTURES_FILE}"
        )
