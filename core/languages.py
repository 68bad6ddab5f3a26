"""The languages of LANGUAGES, in their order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from babel import Locale
from django.conf import settings
from django.utils.translation import get_language


def codes() -> list[str]:
    """The codes, which are the first segment of a public page's path."""
    return [code for code, _ in settings.LANGUAGES]


def default() -> str:
    """The language that `/` answers in."""
    return settings.LANGUAGE_CODE


def current() -> str:
    """The active language."""
    return get_language() or default()


def is_language(code: str) -> bool:
    """Whether the newsroom writes in it."""
    return code in codes()


def preference_order(code: str) -> list[str]:
    """All languages: this one first, then those that its speakers prefer."""
    order = [code, *settings.NEAREST_LANGUAGES.get(code, []), *codes()]
    return list(dict.fromkeys(order))


def native_name(code: str) -> str:
    """A language's name in itself: "Беларуская"."""
    return str(dict(settings.LANGUAGES)[code])


@cache
def locale(code: str) -> Locale:
    """The CLDR locale of the language's formats."""
    return Locale.parse(settings.FORMAT_LOCALES.get(code, code), sep="-")


@cache
def name(code: str, in_language: str) -> str:
    """A language's name in another: name("ru", "be") is "руская"."""
    return str(locale(in_language).languages.get(code, native_name(code)))


def choices() -> list[tuple[str, str]]:
    """For a model's field; a callable, so that a new language is no migration."""
    return [(code, native_name(code)) for code in codes()]


def translated_field_getter(field: str) -> Callable[[Any, str], str]:
    """A model's method: the field's text in one language, without fallback."""

    def get_translated(row: Any, language: str) -> str:
        return str(getattr(row, f"{field}_{language}") or "")

    return get_translated


@dataclass(frozen=True)
class LocalizedContent:
    """Content of a page or letter, in the page's language or, labelled, in another."""

    language: str
    page_language: str

    @property
    def is_in_another_language(self) -> bool:
        return self.language != self.page_language

    @property
    def language_name(self) -> str:
        """As the page's language calls it."""
        return name(self.language, self.page_language)
