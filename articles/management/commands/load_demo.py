"""`manage.py load_demo`: an invented newsroom's last eight weeks."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.demo.content import DemoBroken
from articles.demo.loading import load_demo


class Command(BaseCommand):
    """Loads the demo once; a second time it does nothing."""

    help = "Loads the demo: an invented newsroom's articles and digests of the last weeks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--owner", metavar="USER", help="Who will own the articles; else the first superuser."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        wanted = {"username": options["owner"]} if options["owner"] else {"is_superuser": True}
        owner = get_user_model().objects.filter(**wanted).order_by("pk").first()
        if owner is None:
            raise CommandError(
                f"There is no user {options['owner']}."
                if options["owner"]
                else "There is no superuser yet. Make one with `manage.py createsuperuser`."
            )
        try:
            report = load_demo(owner, timezone.now())
        except DemoBroken as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(str(report))
