"""Brings the list, and what the web process takes in, under the newest generation of the keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from keys import keyring, sealing
from keys.sealing import KeyMissing, SealBroken
from newsletter.privacy import reencryption
from newsletter.subscribers import departures
from newsletter.subscribers.departures import JournalBroken


class Command(BaseCommand):
    """Killed, it goes on where it was; workers may send meanwhile."""

    help = (
        "Hashes and seals every address anew with the newest generation of the worker's keys, and "
        "pads seals from before addresses were padded."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("Run it where WORKER_KEY_FILE is set, as the worker's user.")
        intake = settings.INTAKE_KEY_FILE
        # First: a worker with older keys stops from here on, rather than drop a sign-up.
        self.hash_anew()
        try:
            if keyring.renew_intake(settings.WORKER_KEY_FILE, intake):
                self.stdout.write(
                    f"{intake} is new. Copy it to every other host of the web process."
                )
            self.of = reencryption.remaining(sealing.worker_keys())
            done = reencryption.reseal(self.report)
        except (KeyMissing, SealBroken) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{intake} cannot be written: {error.strerror}.") from None
        if done:
            self.stdout.write("")
        self.stdout.write(f"{done} addresses sealed anew. Next: manage.py rotate_keys --finish")

    def hash_anew(self) -> None:
        try:
            hashed = departures.carry_hashes_on()
        except (KeyMissing, JournalBroken) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"The journal of departures cannot be kept: {error}") from None
        if hashed:
            self.stdout.write(f"{hashed} keyed hashes hashed anew.")

    def report(self, done: int) -> None:
        self.stdout.write(f"{done} of {self.of}", ending="\r")
        self.stdout.flush()
