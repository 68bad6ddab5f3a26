"""What is around every page, asked for once for each version of the site."""

from __future__ import annotations

from articles import standing
from articles.models import Masthead, Topic
from newsroom.page_cache import part


def masthead() -> Masthead:
    """The newsroom's name and tagline."""
    return part(("masthead",), Masthead.current)


def topics() -> list[Topic]:
    """The standing subjects, in their order."""
    return part(("topics",), lambda: list(Topic.objects.all()))


def standing_pages(language: str) -> list[standing.PageLink]:
    """About, privacy."""
    return part(("standing pages", language), lambda: standing.links(language))
