"""Adds a generation to the worker's keys, or drops the older ones.

The intake key follows in reencrypt_list, once every worker has the new generation.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import Error

from keys import keyring, sealing
from keys.sealing import KeyNotFound
from newsletter.privacy import reencryption
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken


class Command(BaseCommand):
    """Running processes pick the new keys up by themselves."""

    help = (
        "Adds a generation to the worker's keys; reencrypt_list then re-encrypts the list with it, "
        "and --finish drops the older ones."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--finish", action="store_true", help="drop the generations that are no longer needed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set, as the worker's user.")
        try:
            self.finish() if options["finish"] else self.rotate()
        except (KeyNotFound, DeparturesLogBroken, OSError) as error:
            raise CommandError(f"{error} The worker's key is as it was.") from None
        except Error as error:
            raise CommandError(
                f"The database cannot be asked ({type(error).__name__}). The worker's key is as it "
                "was."
            ) from None

    def rotate(self) -> None:
        assert settings.WORKER_KEY_FILE is not None
        if reencryption.has_newer_generation(sealing.worker_keys()):
            raise CommandError(
                f"The list has addresses under a newer generation than {settings.WORKER_KEY_FILE}. "
                "Copy that file from the host where the keys were rotated; a second generation of "
                "the same number would open nothing of the first."
            )
        number = keyring.add_generation(settings.WORKER_KEY_FILE)
        self.stdout.write(
            f"Generation {number} is there. Next:\n"
            f"1. Copy {settings.WORKER_KEY_FILE} to every other host of a worker. A worker without "
            "it\n   processes no sign-up after step 3.\n"
            "2. manage.py print_key_backup, and keep the page with the others.\n"
            f"3. manage.py reencrypt_list, and copy {settings.INTAKE_KEY_FILE} to every other "
            "host of the\n   web process.\n"
            "4. manage.py rotate_keys --finish"
        )

    def finish(self) -> None:
        assert settings.WORKER_KEY_FILE is not None
        keys = sealing.worker_keys()
        if not sealing.is_newest_intake_key(keys, settings.INTAKE_KEY_FILE):
            raise CommandError(
                f"{settings.INTAKE_KEY_FILE} is not the newest generation's, so sign-ups would be "
                "lost. Run `manage.py reencrypt_list`, and copy it to every host of the web "
                "process."
            )
        needing = list(reencryption.tables_needing_older_keys(keys))
        if needing:
            raise CommandError(
                f"An older generation is still needed for: {', '.join(needing)}. Run "
                "`manage.py reencrypt_list`; sign-ups and uploads are deleted once a worker has "
                "processed them, quarantined mail after 30 days, or by hand in the admin."
            )
        # reencrypt_list has done it, unless it was killed or the log's disk was full.
        departures.rotate_hashes()
        dropped = keyring.drop_generations_before(settings.WORKER_KEY_FILE, keys.generation)
        if not dropped:
            self.stdout.write("There is one generation only.")
            return
        self.stdout.write(
            f"Dropped: {', '.join(map(str, dropped))}. Copy {settings.WORKER_KEY_FILE} to the "
            "other hosts of workers. Backups of the database from before the re-encryption now "
            "open only with the printed key backup of their time."
        )
