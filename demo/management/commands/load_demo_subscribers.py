"""`manage.py load_demo_subscribers`: the demo's editions and invented readers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from demo.subscribers import load_demo_subscribers
from keys.sealing import KeyMissing


class Command(BaseCommand):
    """Loads them once; a second time it does nothing."""

    help = "Loads the demo's editions and readers. Their addresses lead nowhere."

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            report = load_demo_subscribers(timezone.now())
        except KeyMissing as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(str(report))
