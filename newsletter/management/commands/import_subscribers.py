"""Imports a list of people who confirmed elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from newsletter.importing import CannotImport, import_subscribers
from newsroom.sealing import KeyMissing


class Command(BaseCommand):
    """Reports each bad line by its number and keeps going."""

    help = "Imports a CSV with the columns email,edition. Runs where the worker's key is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as file:
                report = import_subscribers(file, timezone.now())
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except (CannotImport, KeyMissing) as error:
            raise CommandError(str(error)) from None
        for number, reason in report.bad:
            self.stderr.write(f"Line {number}: {reason}")
        self.stdout.write(
            f"{report.added} added, {report.known_or_suppressed} known or suppressed, "
            f"{len(report.bad)} bad"
        )
        if report.bad:
            sys.exit(1)
