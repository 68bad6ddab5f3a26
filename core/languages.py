"""The languages that the newsroom writes in, in their order; the first is the default."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from babel import Locale
from django.conf import settings
from django.utils.translation import get_language


def codes() -> list[str]:
    """The codes, as they stand first in a reader's path."""
    return [code for code, _ in settings.LANGUAGES]


def default() -> str:
    """The language that `/` answers in."""
    return settings.LANGUAGE_CODE


def current() -> str:
    """The language of the moment: the page's, the staff member's, the letter's."""
    return get_language() or default()


def is_language(code: str) -> bool:
    """Whether the newsroom writes in it."""
    return code in codes()


def nearest_first(code: str) -> list[str]:
    """All languages, beginning with this one and then with what its readers read best."""
    order = [code, *settings.NEAREST_LANGUAGES.get(code, []), *codes()]
    return list(dict.fromkeys(order))


def own_name(code: str) -> str:
    """A language's name in itself: "Беларуская"."""
    return str(dict(settings.LANGUAGES)[code])


@cache
def locale(code: str) -> Locale:
    """The CLDR locale whose formats the language follows."""
    return Locale.parse(settings.FORMAT_LOCALES.get(code, code), sep="-")


@cache
def name(code: str, in_language: str) -> str:
    """A language's name in another: name("ru", "be") is "руская"."""
    return str(locale(in_language).languages.get(code, own_name(code)))


def choices() -> list[tuple[str, str]]:
    """For a model's field; a callable, so that a new language is no migration."""
    return [(code, own_name(code)) for code in codes()]


def said_in(field: str) -> Callable[[Any, str], str]:
    """A model's method: what a translated field says in that language, and in no other."""

    def said(row: Any, language: str) -> str:
        return str(getattr(row, f"{field}_{language}") or "")

    return said


@dataclass(frozen=True)
class InLanguage:
    """What a page or a letter shows in its own language or, saying so, in another."""

    language: str
    page_language: str

    @property
    def is_in_another_language(self) -> bool:
        return self.language != self.page_language

    @property
    def language_name(self) -> str:
        """As the page's language calls it."""
        return name(self.language, self.page_language)
