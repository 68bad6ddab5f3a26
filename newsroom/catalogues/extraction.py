"""Extracts translatable strings from Python, Django templates and JavaScript."""

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
"""Babel's tuples: line, function, string arguments, comments."""


@dataclass(frozen=True)
class Text:
    """A translatable string, as the catalogue keys it."""

    id: str | tuple[str, ...]
    """The string, or singular and plural."""
    context: str | None = None

    @property
    def singular(self) -> str:
        return self.id if isinstance(self.id, str) else self.id[0]

    @property
    def key(self) -> tuple[str, str | None]:
        return self.singular, self.context


def extract_texts(path: Path) -> Iterator[Text]:
    """The translatable strings of a file; none for other file types."""
    if path.suffix in METHODS:
        with path.open("rb") as file:
            for _line, message, _comments, context in extract(
                METHODS[path.suffix], file, KEYWORDS, options={"encoding": "utf-8"}
            ):
                yield Text(message, context)


def python_calls(
    fileobj: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Calls:
    """From the syntax tree: Babel's tokeniser extracts "name" from gettext(row["name"]) and, in
    Python 3.11, nothing from f-strings."""
    for node in ast.walk(ast.parse(fileobj.read())):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in keywords:
                values = [getattr(argument, "value", None) for argument in node.args]
                strings = [value if isinstance(value, str) and value else None for value in values]
                yield node.lineno, name, strings, []


def template_calls(
    fileobj: IO[bytes], keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Calls:
    """Django's templatize() turns a template into gettext calls."""
    source = templatize(fileobj.read().decode())
    unindented = "\n".join(line.strip() for line in source.splitlines())
    return extract_python(io.BytesIO(unindented.encode()), keywords, comment_tags, options)


METHODS: dict[str, Any] = {
    ".py": python_calls,
    ".html": template_calls,
    ".txt": template_calls,
    ".js": "javascript",
}


def is_complete(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether every plural form is translated."""
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)
