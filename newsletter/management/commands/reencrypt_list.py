"""Brings the list and the intake key to the newest key generation."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from keys import keyring, sealing
from keys.sealing import DecryptionError, KeyNotFound
from newsletter.privacy import reencryption
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken


class Command(BaseCommand):
    """Killed, it continues where it was; workers may send meanwhile."""

    help = (
        "Re-encrypts and rehashes every address with the newest generation of the worker's keys, "
        "and pads seals from before addresses were padded."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set, as the worker's user.")
        intake = settings.INTAKE_KEY_FILE
        # First: from here on a worker with older keys stops, rather than drop a sign-up.
        self.rehash()
        try:
            if keyring.renew_intake_key(settings.WORKER_KEY_FILE, intake):
                self.stdout.write(
                    f"{intake} is new. Copy it to every other host of the web process."
                )
            self.total = reencryption.count_remaining(sealing.worker_keys())
            done = reencryption.reencrypt(self.report)
        except (KeyNotFound, DecryptionError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{intake} cannot be written: {error.strerror}.") from None
        if done:
            self.stdout.write("")
        self.stdout.write(f"{done} addresses re-encrypted. Next: manage.py rotate_keys --finish")

    def rehash(self) -> None:
        try:
            count = departures.rotate_hashes()
        except (KeyNotFound, DeparturesLogBroken) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"The departures log cannot be written: {error}") from None
        if count:
            self.stdout.write(f"{count} keyed hashes rehashed.")

    def report(self, done: int) -> None:
        self.stdout.write(f"{done} of {self.total}", ending="\r")
        self.stdout.flush()
