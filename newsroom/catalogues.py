"""The catalogues of translations, without gettext's programs.

python -m newsroom.catalogues update   brings locale/*/LC_MESSAGES/django.po up to date
python -m newsroom.catalogues check    fails on a string that is missing or out of date
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
APPS = ("newsroom", "staff", "articles", "newsletter")
SOURCE_LANGUAGE = "en"
PLURAL = (1, 2)
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "__": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": PLURAL,
    "ngettext_lazy": PLURAL,
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
# What Django's `templatize` leaves of a template's tags.
CALL = re.compile(
    r"n?p?gettext\((?:[^()'\"]|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\([^()]*\))*\)", re.S
)


def template() -> Catalog:
    """Every string of ours, in the order of the files."""
    catalog = Catalog(project="newsroom", fuzzy=False)
    for path, message, context in _strings():
        catalog.add(message, None, [(path, 0)], context=context)
    return catalog


def _strings() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _extracted(path, path.read_bytes())
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            calls = CALL.findall(templatize(path.read_text(), origin=str(path)))
            yield from _extracted(path, "\n".join(calls).encode())


def _extracted(
    path: Path, source: bytes
) -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    found = extract("python", io.BytesIO(source), keywords=KEYWORDS, options={"encoding": "utf-8"})
    for _line, message, _comments, context in found:
        if message:
            yield str(path.relative_to(ROOT)), message, context


def path_of(language: str) -> Path:
    """A language's catalogue."""
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def translated_languages() -> list[str]:
    """All but the one that the strings are written in."""
    return [code for code, _name in settings.LANGUAGES if code != SOURCE_LANGUAGE]


def updated(language: str) -> Catalog:
    """The catalogue as it should be: the strings of today with their translations."""
    path = path_of(language)
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language, domain="django")
    else:
        catalog = Catalog(locale=language, domain="django")
    catalog.update(template(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    return catalog


def written(catalog: Catalog) -> bytes:
    """As it stands in the file: no dates and no line numbers, so that a diff shows words."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, no_location=True, omit_header=True, sort_output=True)
    header = (
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalog.locale_identifier}\\n"\n'
        f'"Plural-Forms: {catalog.plural_forms}\\n"\n\n'
    )
    return header.encode() + buffer.getvalue().strip() + b"\n"


def update() -> int:
    """Writes the catalogues anew and says what is missing."""
    for language in translated_languages():
        path = path_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(updated(language)))
    return check()


def check() -> int:
    """How many strings are wrong; each is printed."""
    wrong = 0
    for language in translated_languages():
        catalog = updated(language)
        for message in catalog:
            if message.id and not _is_whole(message.string):
                wrong += 1
                print(f"{path_of(language).relative_to(ROOT)}: not translated: {message.id!r}")
            for error in message.check(catalog) if message.id else ():
                wrong += 1
                print(f"{path_of(language).relative_to(ROOT)}: {error}: {message.id!r}")
        if path_of(language).read_bytes() != written(catalog):
            wrong += 1
            print(f"{path_of(language).relative_to(ROOT)} is out of date. Run `make messages`.")
    return wrong


def _is_whole(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)


if __name__ == "__main__":
    verbs = {"update": update, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    sys.exit(1 if verbs[sys.argv[1]]() else 0)
