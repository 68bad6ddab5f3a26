"""The catalogues' files: what each must hold, bringing them up to date, checking, compiling."""

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

from newsroom.catalogues.extraction import Text, is_whole, texts_of
from newsroom.catalogues.packages import KINDS, is_shipped, package_texts

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("core", "keys", "staff", "articles", "newsletter", "newsroom", "demo")
SOURCE_LANGUAGE = "en"


@dataclass(frozen=True)
class Catalogues:
    """The catalogues of one domain in one folder of LOCALE_PATHS, one for each language."""

    folder: Path = ROOT / "locale"
    domain: str = "django"

    def path_of(self, language: str) -> Path:
        """A language's catalogue."""
        return self.folder / language / "LC_MESSAGES" / f"{self.domain}.po"

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        """What the language's catalogue must hold, seeing what is written there."""
        raise NotImplementedError

    def known(self, language: str) -> Catalog:
        """The catalogue as it lies in the folder."""
        path = self.path_of(language)
        if not path.exists():
            return Catalog(locale=language, domain=self.domain)
        with path.open("rb") as file:
            return read_po(file, locale=language, domain=self.domain)

    def updated(self, language: str) -> Catalog:
        """As it should be: the strings of today with their translations."""
        catalog = self.known(language)
        template = Catalog(fuzzy=False)
        for text in self.texts(language, catalog):
            template.add(text.id, None, context=text.context)
        catalog.update(template, no_fuzzy_matching=True, update_header_comment=False)
        catalog.obsolete.clear()
        return catalog

    def faults(self, language: str) -> Iterator[str]:
        """What is wrong with a language's catalogue, each with the string's own words."""
        catalog, path = self.updated(language), self.path_of(language)
        for message in catalog:
            if message.id and not is_whole(message.string):
                yield f"{_name(path)}: not translated: {message.id!r}"
            elif message.id:
                for error in message.check(catalog):
                    yield f"{_name(path)}: {error}: {message.id!r}"
        if not path.exists() or path.read_bytes() != as_bytes(catalog):
            yield f"{_name(path)} is out of date. Run `make messages`."


class OwnCatalogues(Catalogues):
    """Every string of ours, in every language."""

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        return own_texts()


@cache
def own_texts() -> tuple[Text, ...]:
    """What our code and our templates say."""
    sources = [
        path
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    ]
    templates = sorted((ROOT / "templates").rglob("*"))
    return tuple(text for path in (*sources, *templates) for text in texts_of(path))


class PackageCatalogues(Catalogues):
    """What the packages do not translate, and what somebody here translated better."""

    def texts(self, language: str, written: Catalog) -> Iterable[Text]:
        own = {text.key for text in own_texts()} if self.domain == "django" else set()
        for text in package_texts(self.domain):
            better = written.get(*text.key) is not None
            missing = not is_shipped(text, language, self.domain)
            # Where both say the same words, ours count: locale/ comes first.
            if (better or missing) and text.key not in own:
                yield text


def every() -> list[Catalogues]:
    """All that the newsroom keeps, in the order in which they count."""
    packages = [PackageCatalogues(ROOT / "locale" / "packages", domain) for domain in KINDS]
    return [OwnCatalogues(), *packages]


def translated_languages() -> list[str]:
    """All but the one that the strings are written in."""
    return [code for code, _name in settings.LANGUAGES if code != SOURCE_LANGUAGE]


def as_bytes(catalog: Catalog) -> bytes:
    """As it stands in the file: no dates and no line numbers, so that a diff shows words."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, no_location=True, omit_header=True, sort_output=True)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalog.locale_identifier}\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return header.encode() + buffer.getvalue().strip() + b"\n"


def update() -> list[str]:
    """Writes the catalogues anew; returns what is missing in them."""
    for catalogues in every():
        for language in translated_languages():
            path = catalogues.path_of(language)
            content = as_bytes(catalogues.updated(language))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return check()


def check() -> list[str]:
    """What is wrong in any catalogue."""
    return [
        fault
        for catalogues in every()
        for language in translated_languages()
        for fault in catalogues.faults(language)
    ]


def compile_all() -> list[str]:
    """Writes each catalogue as Django reads it, beside its .po."""
    for catalogues in every():
        for language in translated_languages():
            with catalogues.path_of(language).with_suffix(".mo").open("wb") as file:
                write_mo(file, catalogues.known(language))
    return []


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
