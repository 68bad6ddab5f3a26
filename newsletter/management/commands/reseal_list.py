"""Brings the list under the newest generation of the keys."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError

from newsletter import resealing
from newsroom import sealing
from newsroom.sealing import KeyMissing, SealBroken


class Command(BaseCommand):
    """Killed, it goes on where it was; workers may send meanwhile."""

    help = "Seals every address anew with the newest generation of the worker's keys."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.of = resealing.remaining(sealing.worker_keys())
            done = resealing.reseal(self.report)
        except (KeyMissing, SealBroken) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{done} addresses sealed anew. Next: manage.py rotate_keys --finish")

    def report(self, done: int) -> None:
        self.stdout.write(f"{done} of {self.of}", ending="\r")
        self.stdout.flush()
