"""Makes anew what a search looks at."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from articles.search.indexing import rebuild


class Command(BaseCommand):
    """After an upgrade that changed how words are found, or whenever in doubt."""

    help = "Makes the search's index anew; readers can search meanwhile."

    def handle(self, *_args: Any, **_options: Any) -> None:
        articles, texts = rebuild()
        self.stdout.write(f"{texts} texts of {articles} articles can be found.")
