"""Withdraws an article."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.editorial.workflow import withdraw, withdraw_language
from articles.models import Article
from core import languages


class Command(BaseCommand):
    """In the named language, or in all of them."""

    help = "Withdraws an article, in one language or in all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int)
        parser.add_argument("language", choices=languages.codes(), nargs="?")

    def handle(self, *args: Any, **options: Any) -> None:
        article = Article.objects.filter(pk=options["id"]).first()
        if article is None:
            raise CommandError(f"There is no article {options['id']}.")
        if options["language"]:
            changed = withdraw_language(article, options["language"], timezone.now())
        else:
            changed = withdraw(article, timezone.now())
        self.stdout.write("Withdrawn." if changed else "There was nothing to withdraw.")
