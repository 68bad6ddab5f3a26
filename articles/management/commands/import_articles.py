"""Imports articles from JSON Lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.editorial.importing import ImportOptions, import_articles
from articles.management.owner import add_owner_argument, find_owner


class Command(BaseCommand):
    """Reports bad lines by number and imports the others."""

    help = "Imports articles from a file of JSON lines; imports nothing twice."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--spread-weeks",
            type=int,
            default=0,
            metavar="N",
            help="spread lines without topic and week over the topics and the last N full weeks",
        )
        parser.add_argument("--publish", action="store_true", help="publish every language")
        add_owner_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["spread_weeks"] <= 520:
            raise CommandError("--spread-weeks takes a number from 1 to 520.")
        chosen = ImportOptions(
            owner=find_owner(options["owner"]),
            now=timezone.now(),
            spread_weeks=options["spread_weeks"],
            publish=options["publish"],
        )
        try:
            with Path(options["file"]).open(encoding="utf-8-sig") as file:
                report = import_articles(file, chosen)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise CommandError(
                f"{options['file']} is not UTF-8. The lines before the fault were imported; "
                "save it as UTF-8 and import again."
            ) from None
        for number, reason in report.bad:
            self.stderr.write(f"Line {number}: {reason}")
        self.stdout.write(
            f"{report.imported} imported ({report.published} published, {report.drafts} drafts), "
            f"{report.known} there already, {len(report.bad)} bad"
        )
        if report.bad:
            sys.exit(1)
