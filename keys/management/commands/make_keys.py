"""Creates missing keys."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from keys import sealing
from keys.sealing import KeyNotFound


class Command(BaseCommand):
    """Never overwrites a key: without the worker secret the list is lost."""

    help = "Makes the worker's key, the intake's public key and the links key, where missing."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.WORKER_KEY_FILE is None:
            raise CommandError("WORKER_KEY_FILE is not set: say where the worker's key is to be.")
        try:
            made = sealing.make_keys(
                settings.WORKER_KEY_FILE, settings.INTAKE_KEY_FILE, settings.LINKS_KEY_FILE
            )
        except (KeyNotFound, OSError) as error:
            raise CommandError(str(error)) from None
        if options["verbosity"]:
            for path in made:
                self.stdout.write(f"Made {path}")
            if not made:
                self.stdout.write("All keys are there.")
