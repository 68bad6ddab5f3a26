"""Rebuilds the search index."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from articles.search.indexing import rebuild_index


class Command(BaseCommand):
    """For an upgrade that changed the stemming, or a damaged index."""

    help = "Rebuilds the search index; the search works meanwhile."

    def handle(self, *_args: Any, **_options: Any) -> None:
        articles, texts = rebuild_index()
        self.stdout.write(f"{texts} texts of {articles} articles can be found.")
