"""Atom feeds as tests read them: checked against RFC 4287's grammar and parsed by feedparser."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import feedparser
from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
DELETED = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).with_name("rfc4287.rng")))
RULES = {
    "atom:feed": ["atom:author or not(atom:entry[not(atom:author)])"],
    "atom:entry": [
        "atom:link[@rel='alternate'] or atom:link[not(@rel)] or atom:content",
        "atom:author or ../atom:author or atom:source/atom:author",
    ],
}
"""Rules of the RFC that the grammar cannot express, in XPath, by element."""


def assert_valid_atom(document: bytes) -> bool:
    """Raises AssertionError where it violates RFC 4287."""
    tree = etree.fromstring(document)
    assert GRAMMAR.validate(tree), GRAMMAR.error_log
    names = {"atom": ATOM.strip("{}")}
    for context, rules in RULES.items():
        for element in tree.xpath(f"//{context}", namespaces=names):
            for rule in rules:
                assert element.xpath(rule, namespaces=names), (context, rule)
    return True


class Entry:
    """An atom:entry."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.id = child_text(element, "id")
        self.title = child_text(element, "title")
        self.updated = parse_date(child_text(element, "updated"))
        self.published = parse_date(child_text(element, "published"))
        self.authors = [child_text(author, "name") for author in element.findall(f"{ATOM}author")]
        self.content = child_text(element, "content")
        self.summary = element.findtext(f"{ATOM}summary") or ""
        self.labels = {
            found.attrib["term"]: found.attrib["label"]
            for found in element.findall(f"{ATOM}category")
        }
        self.url = links_by_rel(element)["alternate"]


class Feed:
    """A whole document. Raises AssertionError where it violates RFC 4287."""

    def __init__(self, document: bytes) -> None:
        assert assert_valid_atom(document)
        self.read = feedparser.parse(document)
        assert (self.read.bozo, self.read.version) == (False, "atom10"), self.read
        self.root = ElementTree.fromstring(document)
        assert self.root.tag == f"{ATOM}feed"
        self.id = child_text(self.root, "id")
        self.title = child_text(self.root, "title")
        self.updated = parse_date(child_text(self.root, "updated"))
        self.language = self.root.attrib[LANGUAGE]
        self.links = links_by_rel(self.root)
        self.entries = [self.entry(found) for found in self.root.findall(f"{ATOM}entry")]
        ids = [entry.id for entry in self.entries]
        assert len(ids) == len(set(ids))
        # Whoever signs no entry is named by the feed.
        assert self.root.find(f"{ATOM}author/{ATOM}name") is not None

    def entry(self, element: Element) -> Entry:
        assert element.find(f"{ATOM}content").attrib["type"] == "html"  # type: ignore[union-attr]
        return Entry(element)

    @property
    def titles(self) -> list[str]:
        return [entry.title for entry in self.entries]

    @property
    def deleted(self) -> dict[str, dt.datetime]:
        """RFC 6721."""
        return {
            found.attrib["ref"]: parse_date(found.attrib["when"])
            for found in self.root.findall(DELETED)
        }


def child_text(element: Element, name: str) -> str:
    [found] = element.findall(f"{ATOM}{name}")
    assert found.text
    return found.text


def links_by_rel(element: Element) -> dict[str, str]:
    """By rel; none twice."""
    found = element.findall(f"{ATOM}link")
    by_rel = {link.attrib["rel"]: link.attrib["href"] for link in found}
    assert len(by_rel) == len(found)
    return by_rel


def parse_date(text: str) -> dt.datetime:
    """RFC 3339, with a zone."""
    assert DATE.fullmatch(text), text
    return dt.datetime.fromisoformat(text)
