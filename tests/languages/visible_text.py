"""The visible text of a page, without markup, scripts and icons."""

from __future__ import annotations

import re
from html.parser import HTMLParser

HIDDEN = {"script", "style", "textarea", "svg", "code", "template"}
VOID = {"br", "hr", "img", "input", "link", "meta", "source", "wbr", "col"}
TEXT_ATTRIBUTES = ("title", "placeholder", "aria-label", "alt", "data-label", "data-placeholder")
"""Attributes with text that is shown or spoken."""
ICONS = "material-symbols-outlined"
ADDRESS = re.compile(r"https?://\S+|\S+@\S+")
LATIN = re.compile(r"[A-Za-z]+(?:['’-]?[A-Za-z]+)+")


class _VisibleTextParser(HTMLParser):
    """Skips hidden elements and those in another language."""

    def __init__(self, language: str) -> None:
        super().__init__(convert_charrefs=True)
        self.language = language
        self.seen: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        foreign = given.get("lang", self.language) != self.language
        skipped = tag in HIDDEN or foreign or ICONS in given.get("class", "").split()
        skipped = skipped or bool(self._open and self._open[-1][1])
        if tag not in VOID:
            self._open.append((tag, skipped))
        if not skipped:
            self.seen += [given[name] for name in TEXT_ATTRIBUTES if given.get(name)]
            if tag == "input" and given.get("type") in {"submit", "button", "reset"}:
                self.seen.append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in [name for name, _skipped in self._open]:
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not (self._open and self._open[-1][1]):
            self.seen.append(" ".join(data.split()))


def visible_texts(page: str, language: str) -> list[str]:
    """Every text that is shown or read aloud, in its order."""
    parser = _VisibleTextParser(language)
    parser.feed(page)
    parser.close()
    return parser.seen


def untranslated_texts(page: str, language: str, allowed: frozenset[str]) -> list[str]:
    """The texts with Latin words in them that nobody allowed: interface left in English."""
    return [
        text
        for text in visible_texts(page, language)
        if any(word not in allowed for word in LATIN.findall(ADDRESS.sub("", text)))
    ]
