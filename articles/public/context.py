"""What is around every page, asked for once for each version of the site."""

from __future__ import annotations

from articles.models import Masthead, Topic
from articles.public import static_pages
from core.fragment_cache import cached_fragment


def masthead() -> Masthead:
    """The newsroom's name and tagline."""
    return cached_fragment(("masthead",), Masthead.current)


def topics() -> list[Topic]:
    """The standing subjects, in their order."""
    return cached_fragment(("topics",), lambda: list(Topic.objects.all()))


def standing_pages(language: str) -> list[static_pages.PageLink]:
    """About, privacy."""
    return cached_fragment(("standing pages", language), lambda: static_pages.links(language))
