"""What the packages show to people, and what of it they translate themselves.

An upgrade that brings a string without a translation fails `make lint`.
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

from newsroom.catalogues.extraction import Text, is_whole, texts_of

KINDS = {"django": {".py", ".html", ".txt"}, "djangojs": {".js"}}
"""gettext's domains in Django, and the kinds of file whose strings each holds."""

# Below each package's folder. What is not listed (a sign-up that is switched off, pages for
# developers) nobody sees, and needs no translation.
SHOWN: dict[Path, tuple[str, ...]] = {
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
OUR_TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
UNSEEN = {"tests", "migrations", "vendor", "management"}
# Folders in which those packages bring translations.
SHIPPED_IN = (
    "locale",
    "conf/locale",
    "contrib/admin/locale",
    "contrib/auth/locale",
    "contrib/contenttypes/locale",
    "contrib/sessions/locale",
)


@cache
def package_texts(domain: str) -> tuple[Text, ...]:
    """Every string of the domain that the packages show, once."""
    found: dict[Key, Text] = {}
    for package, patterns in SHOWN.items():
        files = {path for pattern in patterns for path in package.glob(pattern)}
        for path in sorted(files):
            unseen = UNSEEN & set(path.parts) or _is_replaced(path, package)
            if path.suffix in KINDS[domain] and not unseen:
                for text in texts_of(path):
                    found.setdefault(text.key, text)
    return tuple(found.values())


def _is_replaced(path: Path, package: Path) -> bool:
    """Whether a template of ours stands in the place of the package's."""
    folder = package / "templates"
    return path.is_relative_to(folder) and (OUR_TEMPLATES / path.relative_to(folder)).exists()


def is_shipped(text: Text, language: str, domain: str) -> bool:
    """Whether a package brings a translation, which need not be a good one."""
    return text.key in _shipped(language, domain)


@cache
def _shipped(language: str, domain: str) -> frozenset[Key]:
    compiled = (
        package / folder / language / "LC_MESSAGES" / f"{domain}.mo"
        for package in SHOWN
        for folder in SHIPPED_IN
    )
    return frozenset(key for path in compiled if path.exists() for key in _translated(path))


def _translated(compiled: Path) -> Iterator[Key]:
    with compiled.open("rb") as file:
        for message in read_mo(file):
            if message.id and is_whole(message.string):
                singular = message.id if isinstance(message.id, str) else message.id[0]
                context = message.context
                # Babel leaves a context as bytes when it reads this format.
                yield singular, context.decode() if isinstance(context, bytes) else context
