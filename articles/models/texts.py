"""One language of an article as a value, and its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from slugify import slugify

from articles.text import sanitizer

# Where a language transliterates a letter otherwise: Belarusian "г" is "h", Russian "г" is "g".
TRANSLITERATION = {
    "be": [["г", "h"], ["Г", "H"], ["ў", "u"], ["Ў", "U"], ["ё", "io"], ["Ё", "Io"]],
}


TEXT_FIELDS = ("title", "lead", "body")
"""Translated fields: each language has its own columns."""


@lru_cache(maxsize=10_000)
def article_slug(language: str, title: str) -> str:
    """A title in Latin letters. Cached: a page has dozens of them."""
    own_letters = TRANSLITERATION.get(language, ())
    return slugify(title, max_length=80, word_boundary=True, replacements=own_letters)


@lru_cache(maxsize=10_000)
def article_path(language: str, pk: int, slug: str = "") -> str:
    """An article's path. Cached for the same reason."""
    return reverse("article", args=[language, pk, *filter(None, [slug])])


@dataclass(frozen=True)
class ArticleText:
    """One language of an article as a value."""

    language: str
    title: str
    lead: str
    body: str

    @property
    def is_empty(self) -> bool:
        return not (self.title or self.lead or self.body)

    @property
    def fingerprint(self) -> str:
        """See articles.text.sanitizer.fingerprint."""
        return sanitizer.fingerprint(self.title, self.lead, self.body)

    def is_same_text(self, other: ArticleText) -> bool:
        """Whether text and markup are equal, apart from line breaks in the markup."""
        return (self.title, self.lead, sanitizer.normalize_whitespace(self.body)) == (
            other.title,
            other.lead,
            sanitizer.normalize_whitespace(other.body),
        )

    @classmethod
    def from_form(cls, language: str, values: Mapping[str, Any], suffix: str = "") -> ArticleText:
        """From form data, whose names end in this suffix."""
        return cls(language, *(values.get(f"{field}{suffix}") or "" for field in TEXT_FIELDS))

    def cleaned(self) -> ArticleText:
        """With the body sanitised, as Save does it."""
        return replace(self, body=sanitizer.clean(self.body))

    @property
    def safe_body(self) -> SafeString:
        """Only of sanitised HTML: a column's, a cleaned form's or after `cleaned`."""
        return mark_safe(self.body)  # noqa: S308

    @property
    def slug(self) -> str:
        """For the path only; the id is the key."""
        return article_slug(self.language, self.title)
