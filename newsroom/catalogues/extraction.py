"""Which strings a source file gives to gettext: Python, Django's templates, JavaScript."""

from __future__ import annotations

import ast
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from babel.messages.extract import DEFAULT_KEYWORDS, extract, extract_python
from django.utils.translation.template import templatize

KEYWORDS = {**DEFAULT_KEYWORDS, "__": None, "gettext_noop": None}
KEYWORDS |= {f"{name}_lazy": places for name, places in DEFAULT_KEYWORDS.items()}

Calls = Iterator[tuple[int, Any, Any, Any]]
"""The line, the function, its arguments where they are words, and comments, as Babel has them."""


@dataclass(frozen=True)
class Text:
    """One string for translators, as the catalogue keys it."""

    id: str | tuple[str, ...]
    """The words; with a plural, the singular and the plural."""
    context: str | None = None

    @property
    def singular(self) -> str:
        return self.id if isinstance(self.id, str) else self.id[0]

    @property
    def key(self) -> tuple[str, str | None]:
        return self.singular, self.context


def texts_of(path: Path) -> Iterator[Text]:
    """Every string that the file gives to gettext; none for a file of another kind."""
    if path.suffix in METHODS:
        with path.open("rb") as file:
            for _line, message, _comments, context in extract(
                METHODS[path.suffix], file, KEYWORDS, options={"encoding": "utf-8"}
            ):
                yield Text(message, context)


def python_calls(
    fileobj: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Calls:
    """Read off the syntax tree. Babel's own reads tokens: it takes gettext(row["name"]) for a
    string and, in Python 3.11, sees none within an f-string."""
    for node in ast.walk(ast.parse(fileobj.read())):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in keywords:
                said = [getattr(argument, "value", None) for argument in node.args]
                words = [one if isinstance(one, str) and one else None for one in said]
                yield node.lineno, name, words, []


def template_calls(
    fileobj: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Calls:
    """What Django's own reader makes of a template are calls of gettext between crosses."""
    source = templatize(fileobj.read().decode())
    unindented = "\n".join(line.strip() for line in source.splitlines())
    return extract_python(io.BytesIO(unindented.encode()), keywords, comment_tags, options)


METHODS: dict[str, Any] = {
    ".py": python_calls,
    ".html": template_calls,
    ".txt": template_calls,
    ".js": "javascript",
}


def is_whole(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether it says something, in every form of the plural."""
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)
