"""A page as whoever reads it gets it: a tree of elements, each of which knows its language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    [*("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"), "source", "wbr"]
)
UNSEEN = frozenset(["script", "style", "template"])
SPOKEN = ("title", "placeholder", "aria-label", "alt", "content")
"""Attributes whose words are shown, read aloud or quoted elsewhere."""

BLOCKS = "th|td|tr|li|p|dt|dd|h[1-6]|div|section"


def dense(markup: str) -> str:
    """A page's source in one line: where its templates are broken into lines is nobody's business.

    Spaces go from within tags, from the ends of an element and from between blocks.
    """
    line = re.sub(r"[ \t\r\n]+", " ", markup).replace(" >", ">")
    line = re.sub(r"(<[a-z][^>]*>) ", r"\1", line)
    line = re.sub(r" (?=</[a-z])", "", line)
    return re.sub(rf"(</(?:{BLOCKS})>) (?=<)", r"\1", line)


@dataclass
class Element:
    """One element with what is in it, in its order."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    @property
    def language(self) -> str:
        """What it says itself, or what it is in says."""
        own = self.attributes.get("lang")
        if own is not None or self.parent is None:
            return own or ""
        return self.parent.language

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def text(self) -> str:
        """All that is seen in it, with single spaces."""
        said = " ".join(text for _element, text in self.texts())
        return " ".join(said.split())

    def walk(self) -> Iterator[Element]:
        """It and all that is in it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, *tags: str, **attributes: str) -> list[Element]:
        """With one of these tags and with all these attributes."""
        return [
            one
            for one in self.walk()
            if (not tags or one.tag in tags)
            and all(one.attributes.get(name) == value for name, value in attributes.items())
        ]

    def texts(self) -> Iterator[tuple[Element, str]]:
        """Each run of text that is seen, and the element that it stands in."""
        if self.tag in UNSEEN:
            return
        for child in self.children:
            if isinstance(child, Element):
                yield from child.texts()
            elif child.strip():
                yield self, child

    def spoken(self) -> Iterator[tuple[Element, str]]:
        """The texts, and the words in attributes."""
        yield from self.texts()
        for one in self.walk():
            for name in SPOKEN:
                # A meta element's content is prose in a description only.
                prose = name != "content" or one.attributes.get("name") == "description"
                if prose and one.attributes.get(name):
                    yield one, one.attributes[name]

    def nearest(self, *tags: str) -> Element | None:
        """With one of these tags: itself, or what it is in."""
        above: Element | None = self
        while above is not None and above.tag not in tags:
            above = above.parent
        return above


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.open = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        element = Element(tag, given, self.open)
        self.open.children.append(element)
        if tag not in VOID:
            self.open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Within SVG; in HTML the slash means nothing and `handle_starttag` would do.
        given = {name: value or "" for name, value in attrs}
        self.open.children.append(Element(tag, given, self.open))

    def handle_endtag(self, tag: str) -> None:
        above: Element | None = self.open
        while above is not None and above.tag != tag:
            above = above.parent
        if above is not None and above.parent is not None:
            self.open = above.parent

    def handle_data(self, data: str) -> None:
        self.open.children.append(data)


def read(page: str) -> Element:
    """The page's tree; its root has no tag."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    return builder.root
