"""Keys typed in from paper."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from keys import keyring, paper_backup, sealing
from keys.paper_backup import PaperBroken
from keys.sealing import KeyMissing, WorkerKeys


class Command(BaseCommand):
    """Overwrites no key that is another one; adds to the worker's what it has not."""

    help = "Makes the key files out of the lines of a printed page, from a file or standard input."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="- is standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set, as the worker's user.")
        try:
            text = (
                sys.stdin.read()
                if options["file"] == "-"
                else Path(options["file"]).read_text(encoding="utf-8")
            )
            keys = paper_backup.read(text.splitlines())
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except (PaperBroken, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        worker, damaged = self.with_what_is_there(
            WorkerKeys(keys.secrets, keys.hash_keys), keys.links
        )
        files = {
            settings.WORKER_KEY_FILE: sealing.worker_lines(worker),
            settings.LINKS_KEY_FILE: sealing.encode(keys.links),
            settings.INTAKE_KEY_FILE: sealing.encode(worker.intake_public_key()),
        }
        try:
            for path in damaged:
                self.stdout.write(f"The damaged file is kept as {keyring.put_aside(path)}")
            for path, content in files.items():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                keyring.replace(path, content)
                self.stdout.write(f"Restored {path}")
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from None

    def with_what_is_there(self, typed: WorkerKeys, links: bytes) -> tuple[WorkerKeys, list[Path]]:
        """A page of another time adds its generations to those of the file.

        A key that is there and is another one may be the only one that opens the list: it is not
        overwritten. Returns the files, too, that hold no key: a person may still make something of
        what they hold.
        """
        worker: WorkerKeys | None = typed
        damaged = []
        assert settings.WORKER_KEY_FILE is not None
        try:
            if settings.WORKER_KEY_FILE.exists():
                worker = sealing.worker_keys().with_those_of(typed)
        except KeyMissing:
            damaged.append(settings.WORKER_KEY_FILE)
        if worker is None:
            raise _another(settings.WORKER_KEY_FILE)
        try:
            if settings.LINKS_KEY_FILE.exists() and sealing.links_key() != links:
                raise _another(settings.LINKS_KEY_FILE)
        except KeyMissing:
            damaged.append(settings.LINKS_KEY_FILE)
        return worker, damaged


def _another(path: Path) -> CommandError:
    return CommandError(f"{path} is there and is another key. Move it away first if you are sure.")
