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

# Where a language spells a letter in its own way: Belarusian "г" is no Russian "г".
TRANSLITERATION = {
    "be": [["г", "h"], ["Г", "H"], ["ў", "u"], ["Ў", "U"], ["ё", "io"], ["Ё", "Io"]],
}


TEXTS = ("title", "lead", "body")
"""The fields that each language has its own columns of."""


@lru_cache(maxsize=10_000)
def slug_of(language: str, title: str) -> str:
    """A title in Latin letters. Kept, since a page has dozens of them and each takes a while."""
    own_letters = TRANSLITERATION.get(language, ())
    return slugify(title, max_length=80, word_boundary=True, replacements=own_letters)


@lru_cache(maxsize=10_000)
def path_of(language: str, pk: int, slug: str = "") -> str:
    """An article's. Kept for the same reason."""
    return reverse("article", args=[language, pk, *filter(None, [slug])])


@dataclass(frozen=True)
class ArticleText:
    """One language of an article, as it is saved."""

    language: str
    title: str
    lead: str
    body: str

    @property
    def is_empty(self) -> bool:
        return not (self.title or self.lead or self.body)

    @property
    def fingerprint(self) -> str:
        """Changes when what is said changes; see articles.text.sanitizer.fingerprint."""
        return sanitizer.fingerprint(self.title, self.lead, self.body)

    def reads_as(self, other: ArticleText) -> bool:
        """Whether it is the same text and markup, however an editor broke the lines."""
        return (self.title, self.lead, sanitizer.squeezed(self.body)) == (
            other.title,
            other.lead,
            sanitizer.squeezed(other.body),
        )

    @classmethod
    def typed(cls, language: str, values: Mapping[str, Any], suffix: str = "") -> ArticleText:
        """Out of a form's values: each field under its name and this ending."""
        return cls(language, *(values.get(f"{field}{suffix}") or "" for field in TEXTS))

    def cleaned(self) -> ArticleText:
        """As Save would keep it."""
        return replace(self, body=sanitizer.clean(self.body))

    @property
    def safe_body(self) -> SafeString:
        """For a page: of a column, of a form's field or `cleaned`; not of what was only typed."""
        return mark_safe(self.body)  # noqa: S308

    @property
    def slug(self) -> str:
        """For the address only; the id is the key."""
        return slug_of(self.language, self.title)
