"""Publishes an article in one language."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.editorial.workflow import publish
from articles.models import Article, CannotPublish
from core import languages


class Command(BaseCommand):
    """The admin's button on the command line."""

    help = "Publishes an article in one language."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("language", choices=languages.codes())

    def handle(self, *args: Any, **options: Any) -> None:
        article = Article.objects.filter(pk=options["id"]).first()
        if article is None:
            raise CommandError(f"There is no article {options['id']}.")
        try:
            changed = publish(article, options["language"], timezone.now())
        except CannotPublish as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Published." if changed else "It was published already.")
