"""The visible strings of third-party packages, and which of them they translate.

An upgrade with an untranslated string fails `make lint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import allauth
import django
import modeltranslation
import unfold
from babel.messages.mofile import read_mo

from newsroom.catalogues.extraction import Text, extract_texts, is_complete

DOMAIN_SUFFIXES = {"django": {".py", ".html", ".txt"}, "djangojs": {".js"}}
"""The file types of Django's gettext domains."""

# Below each package's folder. The rest, such as allauth's sign-up, is never shown.
PACKAGE_SOURCES: dict[Path, tuple[str, ...]] = {
    Path(django.__path__[0]): (
        "contrib/admin/**/*",
        "contrib/auth/**/*",
        "contrib/contenttypes/*.py",
        "contrib/sessions/*.py",
        "core/paginator.py",
        "core/validators.py",
        "db/models/**/*.py",
        "forms/**/*",
        "template/defaultfilters.py",
        "utils/*.py",
        "views/csrf.py",
    ),
    Path(unfold.__path__[0]): (
        "*.py",
        "mixins/*.py",
        "templatetags/*.py",
        "templates/admin/**/*",
        "templates/registration/**/*",
        "templates/unfold/**/*",
        "static/**/*",
    ),
    Path(modeltranslation.__path__[0]): ("**/*",),
    Path(allauth.__path__[0]): (
        "account/*.py",
        "account/internal/**/*.py",
        "mfa/**/*.py",
        "templates/account/messages/logged_*.txt",
        "templates/account/messages/password_changed.txt",
        "templates/mfa/messages/*.txt",
        "templates/mfa/recovery_codes/*.html",
        "templates/mfa/totp/*.html",
    ),
}
Key = tuple[str, str | None]
PROJECT_TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
SKIPPED_FOLDERS = {"tests", "migrations", "vendor", "management"}
# Where packages have translations.
PACKAGE_LOCALE_FOLDERS = (
    "locale",
    "conf/locale",
    "contrib/admin/locale",
    "contrib/auth/locale",
    "contrib/contenttypes/locale",
    "contrib/sessions/locale",
)


@cache
def package_texts(domain: str) -> tuple[Text, ...]:
    """The distinct visible strings of the domain."""
    found: dict[Key, Text] = {}
    for package, patterns in PACKAGE_SOURCES.items():
        files = {path for pattern in patterns for path in package.glob(pattern)}
        for path in sorted(files):
            skipped = SKIPPED_FOLDERS & set(path.parts) or _is_overridden(path, package)
            if path.suffix in DOMAIN_SUFFIXES[domain] and not skipped:
                for text in extract_texts(path):
                    found.setdefault(text.key, text)
    return tuple(found.values())


def _is_overridden(path: Path, package: Path) -> bool:
    """Whether the project overrides the template."""
    folder = package / "templates"
    return path.is_relative_to(folder) and (PROJECT_TEMPLATES / path.relative_to(folder)).exists()


def is_shipped(text: Text, language: str, domain: str) -> bool:
    """Whether a package translates it."""
    return text.key in _shipped(language, domain)


@cache
def _shipped(language: str, domain: str) -> frozenset[Key]:
    compiled = (
        package / folder / language / "LC_MESSAGES" / f"{domain}.mo"
        for package in PACKAGE_SOURCES
        for folder in PACKAGE_LOCALE_FOLDERS
    )
    return frozenset(key for path in compiled if path.exists() for key in _translated(path))


def _translated(compiled: Path) -> Iterator[Key]:
    with compiled.open("rb") as file:
        for message in read_mo(file):
            if message.id and is_complete(message.string):
                singular = message.id if isinstance(message.id, str) else message.id[0]
                context = message.context
                # Babel returns the context of .mo files as bytes.
                yield singular, context.decode() if isinstance(context, bytes) else context
