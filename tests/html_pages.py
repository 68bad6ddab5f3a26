"""HTML pages as tests read them: normalised source, and a tree of elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    [*("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"), "source", "wbr"]
)
HIDDEN_TAGS = frozenset(["script", "style", "template"])
TEXT_ATTRIBUTES = ("title", "placeholder", "aria-label", "alt", "content")
"""Attributes with text that is shown, spoken or quoted."""

BLOCKS = "th|td|tr|li|p|dt|dd|h[1-6]|div|section"


def normalize_html(markup: str) -> str:
    """Markup in one line, independent of the templates' line breaks."""
    line = re.sub(r"[ \t\r\n]+", " ", markup).replace(" >", ">")
    line = re.sub(r"(<[a-z][^>]*>) ", r"\1", line)
    line = re.sub(r" (?=</[a-z])", "", line)
    return re.sub(rf"(</(?:{BLOCKS})>) (?=<)", r"\1", line)


@dataclass
class Element:
    """An element with its children."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = field(default_factory=list)

    @property
    def language(self) -> str:
        """Its `lang`, or the nearest ancestor's."""
        own = self.attributes.get("lang")
        if own is not None or self.parent is None:
            return own or ""
        return self.parent.language

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    @property
    def text(self) -> str:
        """Its visible text, white space collapsed."""
        text = " ".join(part for _element, part in self.texts())
        return " ".join(text.split())

    def walk(self) -> Iterator[Element]:
        """It and its descendants."""
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
        """Each visible text with its element."""
        if self.tag in HIDDEN_TAGS:
            return
        for child in self.children:
            if isinstance(child, Element):
                yield from child.texts()
            elif child.strip():
                yield self, child

    def spoken(self) -> Iterator[tuple[Element, str]]:
        """The texts, with those in attributes."""
        yield from self.texts()
        for one in self.walk():
            for name in TEXT_ATTRIBUTES:
                # A meta element's content is prose in a description only.
                prose = name != "content" or one.attributes.get("name") == "description"
                if prose and one.attributes.get(name):
                    yield one, one.attributes[name]

    def nearest(self, *tags: str) -> Element | None:
        """Itself or the nearest ancestor with one of these tags."""
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


def parse_html(page: str) -> Element:
    """The page's tree; its root has no tag."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    return builder.root
