"""What every page shows around its content, cached per site version."""

from __future__ import annotations

from articles.models import SiteSettings, Topic
from articles.public import static_pages
from core.fragment_cache import cached_fragment


def cached_masthead() -> SiteSettings:
    """The newsroom's name and tagline."""
    return cached_fragment(("masthead",), SiteSettings.current)


def cached_topics() -> list[Topic]:
    """By position."""
    return cached_fragment(("topics",), lambda: list(Topic.objects.all()))


def static_page_links(language: str) -> list[static_pages.PageLink]:
    """About, privacy."""
    return cached_fragment(("static pages", language), lambda: static_pages.page_links(language))
