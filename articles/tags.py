"""The names of what pages show. A page notes them while it is made (newsroom.showing), a change
names them in its own transaction (articles.models.changes), and a kept page is used only while
nothing that it noted was named since.

What says nothing of a language stands for all of them: each page shows in which there is a text.
"""

from __future__ import annotations

from newsroom import languages
from newsroom.weeks import Week

FURNITURE = "furniture"
"""What is around every page: the newsroom's name, topics, authors' names, links, editions."""
LISTS = "lists"
"""Which articles there are and how any list shows them."""
TEXTS = "texts"
"""Anything at all that is public: for feeds and sitemaps."""
NEWEST_WEEK = "newest week"


def article(pk: int, language: str) -> str:
    """All that its page in that language says."""
    return f"article {pk} {language}"


def headline(pk: int, language: str) -> str:
    """What lists say of it where they show its text in that language."""
    return f"headline {pk} {language}"


def every_article(pk: int) -> set[str]:
    """Its pages in all languages."""
    return {article(pk, code) for code in languages.codes()}


def every_headline(pk: int) -> set[str]:
    """All that lists say of it, and whether they do."""
    return {headline(pk, code) for code in languages.codes()}


def topic(pk: int) -> str:
    """Which articles are on it."""
    return f"topic {pk}"


def verdicts(topic_pk: int) -> str:
    """Which verdicts a topic got, and when they were corrected."""
    return f"verdicts {topic_pk}"


def author(pk: int) -> str:
    """Which articles they signed."""
    return f"author {pk}"


def week(week: Week) -> str:
    """Which articles are in it, in the order of its approved digest."""
    return f"week {week}"


def introduction(week: Week, language: str) -> str:
    """What the week's approved digest says of it."""
    return f"introduction {week} {language}"


def picture(pk: int, language: str) -> str:
    """What is said of a picture where it is a cover."""
    return f"picture {pk} {language}"


def page(code: str) -> str:
    """A page that stands for years."""
    return f"page {code}"
