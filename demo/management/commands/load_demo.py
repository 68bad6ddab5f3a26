"""Loads the demo's articles and digests."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.management.owner import add_owner_argument, find_owner
from demo.content.content import InvalidDemoContent
from demo.content.loading import load_demo


class Command(BaseCommand):
    """Does nothing the second time."""

    help = "Loads the demo: an invented newsroom's articles and digests of the last weeks."

    def add_arguments(self, parser: CommandParser) -> None:
        add_owner_argument(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            report = load_demo(find_owner(options["owner"]), timezone.now())
        except InvalidDemoContent as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(str(report))
