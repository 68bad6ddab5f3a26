"""Loads the demo's editions and subscribers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from demo.subscribers import load_demo_subscribers
from keys.sealing import KeyNotFound


class Command(BaseCommand):
    """Does nothing the second time."""

    help = "Loads the demo's editions and invented subscribers. Their domains receive no mail."

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            report = load_demo_subscribers(timezone.now())
        except KeyNotFound as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(str(report))
