"""Which strings a source file gives to gettext: Python, Django's templates, JavaScript."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.extract import extract
from django.utils.translation.template import templatize

# Where in a call the words stand, as Babel writes it: a "c" marks the context.
Places = tuple[int | tuple[int, str], ...]
WORDS: Places = (1,)
PLURAL: Places = (1, 2)
IN_CONTEXT: Places = ((1, "c"), 2)
PLURAL_IN_CONTEXT: Places = ((1, "c"), 2, 3)
CALLS: dict[str, Places] = {
    "_": WORDS,
    "__": WORDS,
    "gettext": WORDS,
    "gettext_lazy": WORDS,
    "gettext_noop": WORDS,
    "ngettext": PLURAL,
    "ngettext_lazy": PLURAL,
    "pgettext": IN_CONTEXT,
    "pgettext_lazy": IN_CONTEXT,
    "npgettext": PLURAL_IN_CONTEXT,
    "npgettext_lazy": PLURAL_IN_CONTEXT,
}
# What Django's `templatize` leaves of a template's tags.
TEMPLATE_CALL = re.compile(
    r"(?<!\w)(?:_|n?p?gettext)\((?:[^()'\"]|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\([^()]*\))*\)",
    re.S,
)


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
    if path.suffix == ".py":
        yield from _in_python(path.read_text())
    elif path.suffix in {".html", ".txt"}:
        calls = TEMPLATE_CALL.findall(templatize(path.read_text(), origin=str(path)))
        yield from _in_python("\n".join(calls))
    elif path.suffix == ".js":
        yield from _in_javascript(path)


def _in_python(source: str) -> Iterator[Text]:
    """Read off the syntax tree: gettext(row["name"]) names no string, though it holds one."""
    for node in ast.walk(ast.parse(source)):
        name = ""
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if isinstance(node, ast.Call) and name in CALLS:
            text = _read(node.args, CALLS[name])
            if text is not None:
                yield text


def _read(arguments: list[ast.expr], places: Places) -> Text | None:
    said = [
        argument.value
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        else ""
        for argument in arguments
    ]
    words, context = [], None
    for place in places:
        at = place if isinstance(place, int) else place[0]
        if len(said) < at or not said[at - 1]:
            return None
        if isinstance(place, int):
            words.append(said[at - 1])
        else:
            context = said[at - 1]
    return Text(words[0] if len(words) == 1 else tuple(words), context)


def _in_javascript(path: Path) -> Iterator[Text]:
    with path.open("rb") as file:
        for _line, message, _comments, context in extract(
            "javascript", file, keywords=CALLS, options={"encoding": "utf-8"}
        ):
            if message:
                yield Text(message, context)


def is_whole(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    """Whether it says something, in every form of the plural."""
    return all(translation) if isinstance(translation, tuple | list) else bool(translation)
