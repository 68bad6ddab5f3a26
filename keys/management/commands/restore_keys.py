"""Restores keys that were typed in from a paper backup."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from keys import keyring, paper_backup, sealing
from keys.paper_backup import PaperBackupError
from keys.sealing import KeyNotFound, WorkerKeys


class Command(BaseCommand):
    """Overwrites no different key; adds missing generations to the worker's file."""

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
            keys = paper_backup.from_lines(text.splitlines())
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except (PaperBackupError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        worker, damaged = self.merge_with_existing(
            WorkerKeys(keys.secrets, keys.hash_keys), keys.links
        )
        files = {
            settings.WORKER_KEY_FILE: sealing.serialize_worker_keys(worker),
            settings.LINKS_KEY_FILE: sealing.encode_key(keys.links),
            settings.INTAKE_KEY_FILE: sealing.encode_key(worker.intake_public_key()),
        }
        try:
            for path in damaged:
                self.stdout.write(f"The damaged file is kept as {keyring.set_aside_damaged(path)}")
            for path, content in files.items():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                keyring.replace_key_file(path, content)
                self.stdout.write(f"Restored {path}")
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from None

    def merge_with_existing(self, typed: WorkerKeys, links: bytes) -> tuple[WorkerKeys, list[Path]]:
        """The keys to write, and the files that are damaged and to be set aside.

        Raises CommandError for an existing, different key: it may be the only one that decrypts
        the list.
        """
        worker: WorkerKeys | None = typed
        damaged = []
        assert settings.WORKER_KEY_FILE is not None
        try:
            if settings.WORKER_KEY_FILE.exists():
                worker = sealing.worker_keys().merged_with(typed)
        except KeyNotFound:
            damaged.append(settings.WORKER_KEY_FILE)
        if worker is None:
            raise _different_key(settings.WORKER_KEY_FILE)
        try:
            if settings.LINKS_KEY_FILE.exists() and sealing.links_key() != links:
                raise _different_key(settings.LINKS_KEY_FILE)
        except KeyNotFound:
            damaged.append(settings.LINKS_KEY_FILE)
        return worker, damaged


def _different_key(path: Path) -> CommandError:
    return CommandError(f"{path} is there and is another key. Move it away first if you are sure.")
