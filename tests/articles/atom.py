"""What RFC 4287 asks of a feed, looked at element by element."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ATOM = "{http://www.w3.org/2005/Atom}"
DELETED = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
OF_A_FEED = {"author", "id", "link", "subtitle", "title", "updated", "entry"}
OF_AN_ENTRY = {"author", "category", "content", "id", "link", "published", "summary", "title"}


class Entry:
    """A text as a reader's program sees it."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.id = one(element, "id")
        self.title = one(element, "title")
        self.updated = moment(one(element, "updated"))
        self.published = moment(one(element, "published"))
        self.authors = [one(author, "name") for author in element.findall(f"{ATOM}author")]
        self.content = one(element, "content")
        self.summary = element.findtext(f"{ATOM}summary") or ""
        self.labels = {
            found.attrib["term"]: found.attrib["label"]
            for found in element.findall(f"{ATOM}category")
        }
        self.address = links(element)["alternate"]


class Feed:
    """A whole document. Raises AssertionError where it is none of RFC 4287's."""

    def __init__(self, document: bytes) -> None:
        self.root = ElementTree.fromstring(document)
        assert self.root.tag == f"{ATOM}feed"
        check_children(self.root, OF_A_FEED, {"id", "title", "updated", "subtitle"})
        self.id = one(self.root, "id")
        self.title = one(self.root, "title")
        self.updated = moment(one(self.root, "updated"))
        self.language = self.root.attrib[LANGUAGE]
        self.links = links(self.root)
        self.entries = [self.entry(found) for found in self.root.findall(f"{ATOM}entry")]
        ids = [entry.id for entry in self.entries]
        assert len(ids) == len(set(ids))
        # Whoever signs no entry is named by the feed.
        assert self.root.find(f"{ATOM}author/{ATOM}name") is not None

    def entry(self, element: Element) -> Entry:
        once = OF_AN_ENTRY - {"author", "category", "link"} | {"updated"}
        check_children(element, OF_AN_ENTRY | {"updated"}, once)
        assert element.find(f"{ATOM}content").attrib["type"] == "html"  # type: ignore[union-attr]
        return Entry(element)

    @property
    def titles(self) -> list[str]:
        return [entry.title for entry in self.entries]

    @property
    def deleted(self) -> dict[str, dt.datetime]:
        """RFC 6721."""
        return {
            found.attrib["ref"]: moment(found.attrib["when"])
            for found in self.root.findall(DELETED)
        }


def check_children(element: Element, known: set[str], once: set[str]) -> None:
    names = [child.tag.removeprefix(ATOM) for child in element if child.tag.startswith(ATOM)]
    assert set(names) <= known
    for name in once:
        assert names.count(name) == 1 or (name in {"subtitle", "summary"} and name not in names)


def one(element: Element, name: str) -> str:
    [found] = element.findall(f"{ATOM}{name}")
    assert found.text
    return found.text


def links(element: Element) -> dict[str, str]:
    """By what they are for; no kind twice."""
    found = element.findall(f"{ATOM}link")
    by_kind = {link.attrib["rel"]: link.attrib["href"] for link in found}
    assert len(by_kind) == len(found)
    return by_kind


def moment(text: str) -> dt.datetime:
    """RFC 3339, with a zone."""
    assert DATE.fullmatch(text), text
    return dt.datetime.fromisoformat(text)
