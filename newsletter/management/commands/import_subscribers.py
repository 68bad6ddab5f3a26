"""Imports subscribers who confirmed elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.states import InvalidTransition
from keys import sealing
from keys.sealing import KeyNotFound
from newsletter.imports import apply, dry_run
from newsletter.imports.reading import UnreadableFile
from newsletter.imports.upload import CHUNK_BYTES, import_from_chunks
from newsletter.models import Edition, Import, ImportStatus


class Command(BaseCommand):
    """A dry run, unless --apply is given."""

    help = (
        "Checks a CSV and reports whom it would add; with --apply adds them, with --undo ID "
        "removes whom an import has added. Runs where the worker's key is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--edition", help="the code of the edition for lines that name none")
        parser.add_argument("--apply", action="store_true", help="add them")
        parser.add_argument("--undo", type=int, metavar="ID", help="undo an import")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealing.worker_keys()
            if options["undo"]:
                self.undo(options["undo"])
            elif options["file"] is None:
                raise CommandError("Which file? Or --undo ID for an import that was applied.")
            else:
                self.import_file(options["file"], options["edition"], is_applied=options["apply"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except (UnreadableFile, InvalidTransition, KeyNotFound) as error:
            raise CommandError(str(error)) from None

    def import_file(self, path: Path, code: str | None, *, is_applied: bool) -> None:
        edition = Edition.objects.filter(code=code).first() if code else None
        if code and edition is None:
            known = ", ".join(Edition.objects.values_list("code", flat=True)) or "none yet"
            raise CommandError(f"There is no edition {code}. There are: {known}.")
        with path.open("rb") as file:
            row = import_from_chunks(
                iter(lambda: file.read(CHUNK_BYTES), b""), edition, timezone.now()
            )
        counts = dry_run.check_import(row.pk, timezone.now, is_limited=False) or Counter()
        row.refresh_from_db()
        for line in self.report(row, counts):
            self.stdout.write(line)
        if row.status != ImportStatus.CHECKED:
            apply.discard_import(row, None, timezone.now())
            raise CommandError(row.failure or "No column is called email. Name one so.")
        if not is_applied:
            apply.discard_import(row, None, timezone.now())
            self.stdout.write("Nobody was added. Run it again with --apply.")
            return
        apply.request_apply(row, None, timezone.now())
        apply.apply_import(row.pk, timezone.now)
        row.refresh_from_db()
        self.stdout.write(f"{row.added} added by import {row.pk}")

    def undo(self, pk: int) -> None:
        row = Import.objects.filter(pk=pk).first()
        if row is None:
            raise CommandError(f"There is no import {pk}.")
        apply.request_undo(row, None, timezone.now())
        apply.undo_import(row.pk, timezone.now)
        row.refresh_from_db()
        self.stdout.write(f"{row.removed} of {row.added} removed again")

    def report(self, row: Import, counts: Counter[str]) -> Iterator[str]:
        """Invalid lines by number, then the counts."""
        for problem in row.problems.all():
            yield f"Line {problem.line}: {problem.get_problem_display()}"
        yield (
            f"{counts['lines']} lines: {counts['new']} new, {counts['known']} known, "
            f"{counts['suppressed']} suppressed, {counts['refused']} unsubscribed in the file, "
            f"{counts['doubled']} duplicate, {counts['invalid']} invalid"
        )
