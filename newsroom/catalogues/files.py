"""Updates, checks and compiles the catalogues' files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings

from newsroom.catalogues.extraction import Text, extract_texts, is_complete
from newsroom.catalogues.packages import DOMAIN_SUFFIXES, is_shipped, package_texts

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("core", "keys", "staff", "articles", "newsletter", "newsroom", "demo")
SOURCE_LANGUAGE = "en"


@dataclass(frozen=True)
class Catalogues:
    """The catalogues of one gettext domain in one folder of LOCALE_PATHS."""

    folder: Path = ROOT / "locale"
    domain: str = "django"

    def path_of(self, language: str) -> Path:
        """A language's catalogue."""
        return self.folder / language / "LC_MESSAGES" / f"{self.domain}.po"

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        """What the catalogue must contain; `written` is its current content."""
        raise NotImplementedError

    def stored(self, language: str) -> Catalog:
        """The catalogue's file."""
        path = self.path_of(language)
        if not path.exists():
            return Catalog(locale=language, domain=self.domain)
        with path.open("rb") as file:
            return read_po(file, locale=language, domain=self.domain)

    def updated(self, language: str) -> Catalog:
        """The current strings with their translations."""
        catalog = self.stored(language)
        template = Catalog(fuzzy=False)
        for text in self.texts(language, catalog):
            template.add(text.id, None, context=text.context)
        catalog.update(template, no_fuzzy_matching=True, update_header_comment=False)
        catalog.obsolete.clear()
        return catalog

    def errors(self, language: str) -> Iterator[str]:
        """Errors of a language's catalogue, with the string."""
        catalog, path = self.updated(language), self.path_of(language)
        for message in catalog:
            if message.id and not is_complete(message.string):
                yield f"{_name(path)}: not translated: {message.id!r}"
            elif message.id:
                for error in message.check(catalog):
                    yield f"{_name(path)}: {error}: {message.id!r}"
        if not path.exists() or path.read_bytes() != as_bytes(catalog):
            yield f"{_name(path)} is out of date. Run `make messages`."


class OwnCatalogues(Catalogues):
    """The project's strings."""

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        return own_texts()


@cache
def own_texts() -> tuple[Text, ...]:
    """The strings of code and templates."""
    sources = [
        path
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    templates = sorted((ROOT / "templates").rglob("*"))
    return tuple(text for path in (*sources, *templates) for text in extract_texts(path))


class PackageCatalogues(Catalogues):
    """Strings that packages do not translate, and better translations of others."""

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        own = {text.key for text in own_texts()} if self.domain == "django" else set()
        for text in package_texts(self.domain):
            better = written.get(*text.key) is not None
            missing = not is_shipped(text, language, self.domain)
            # The project's own translation of the same string has priority.
            if (better or missing) and text.key not in own:
                yield text


def all_catalogues() -> list[Catalogues]:
    """All catalogues, in the order of LOCALE_PATHS."""
    packages = [
        PackageCatalogues(ROOT / "locale" / "packages", domain) for domain in DOMAIN_SUFFIXES
    ]
    return [OwnCatalogues(), *packages]


def translated_languages() -> list[str]:
    """All but the source language."""
    return [code for code, _name in settings.LANGUAGES if code != SOURCE_LANGUAGE]


def as_bytes(catalog: Catalog) -> bytes:
    """The file's content, without dates and line numbers."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, no_location=True, omit_header=True, sort_output=True)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalog.locale_identifier}\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return header.encode() + buffer.getvalue().strip() + b"\n"


def update() -> list[str]:
    """Rewrites the catalogues; returns their errors."""
    for catalogues in all_catalogues():
        for language in translated_languages():
            path = catalogues.path_of(language)
            content = as_bytes(catalogues.updated(language))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return check()


def check() -> list[str]:
    """The errors of all catalogues."""
    return [
        error
        for catalogues in all_catalogues()
        for language in translated_languages()
        for error in catalogues.errors(language)
    ]


def compile_all() -> list[str]:
    """Writes the .mo files."""
    for catalogues in all_catalogues():
        for language in translated_languages():
            with catalogues.path_of(language).with_suffix(".mo").open("wb") as file:
                write_mo(file, catalogues.stored(language))
    return []


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
