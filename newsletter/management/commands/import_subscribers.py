"""Imports a list of people who confirmed elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.states import InvalidTransition
from keys import sealing
from keys.sealing import KeyMissing
from newsletter.imports import apply as applying
from newsletter.imports import dry_run
from newsletter.imports.reading import NoList
from newsletter.imports.upload import PIECE, take_whole
from newsletter.models import Edition, Import, ImportStatus


class Command(BaseCommand):
    """A dry run, unless it is told to apply it."""

    help = (
        "Checks a CSV and says whom it would add; with --apply adds them, with --undo ID takes "
        "back whom an import has added. Runs where the worker's key is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--edition", help="the code of the edition of who names none")
        parser.add_argument("--apply", action="store_true", help="add them")
        parser.add_argument("--undo", type=int, metavar="ID", help="take back an import")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealing.worker_keys()
            if options["undo"]:
                self.undo(options["undo"])
            elif options["file"] is None:
                raise CommandError("Which file? Or --undo ID for an import that was applied.")
            else:
                self.bring_in(options["file"], options["edition"], apply=options["apply"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except (NoList, InvalidTransition, KeyMissing) as error:
            raise CommandError(str(error)) from None

    def bring_in(self, path: Path, code: str | None, *, apply: bool) -> None:
        edition = Edition.objects.filter(code=code).first() if code else None
        if code and edition is None:
            known = ", ".join(Edition.objects.values_list("code", flat=True)) or "none yet"
            raise CommandError(f"There is no edition {code}. There are: {known}.")
        with path.open("rb") as file:
            row = take_whole(iter(lambda: file.read(PIECE), b""), edition, timezone.now())
        found = dry_run.check(row.pk, timezone.now, is_limited=False) or Counter()
        row.refresh_from_db()
        for line in self.report(row, found):
            self.stdout.write(line)
        if row.status != ImportStatus.CHECKED:
            applying.throw_away(row, None, timezone.now())
            raise CommandError(row.failure or "No column is called email. Name one so.")
        if not apply:
            applying.throw_away(row, None, timezone.now())
            self.stdout.write("Nobody was added. Run it again with --apply.")
            return
        applying.ask_to_apply(row, None, timezone.now())
        applying.apply(row.pk, timezone.now)
        row.refresh_from_db()
        self.stdout.write(f"{row.added} added by import {row.pk}")

    def undo(self, pk: int) -> None:
        row = Import.objects.filter(pk=pk).first()
        if row is None:
            raise CommandError(f"There is no import {pk}.")
        applying.ask_to_undo(row, None, timezone.now())
        applying.undo(row.pk, timezone.now)
        row.refresh_from_db()
        self.stdout.write(f"{row.removed} of {row.added} removed again")

    def report(self, row: Import, found: Counter[str]) -> Iterator[str]:
        """The difference, and the lines that are invalid by their numbers."""
        for problem in row.problems.all():
            yield f"Line {problem.line}: {problem.get_problem_display()}"
        yield (
            f"{found['lines']} lines: {found['new']} new, {found['known']} known, "
            f"{found['suppressed']} suppressed, {found['refused']} gone according to the file, "
            f"{found['doubled']} doubled, {found['invalid']} invalid"
        )
