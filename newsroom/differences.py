"""A readable difference of two texts: paragraphs are matched first, then the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from newsroom import html
from newsroom.html import Block

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 4000
"""Pieces of a paragraph that are compared word by word; a longer one is shown as replaced."""
ALIKE = 0.3
"""How much of two paragraphs must be the same for one to count as the other, rewritten."""


class Kind(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Run:
    """Some words, and what became of them."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A block of either text, or of both, with what changed in it."""

    block: str
    runs: tuple[Run, ...]

    @property
    def is_changed(self) -> bool:
        return any(run.kind != Kind.SAME for run in self.runs)


@dataclass(frozen=True)
class Difference:
    """Title, lead and body, one paragraph after the other."""

    paragraphs: tuple[Paragraph, ...]
    only_markup: bool
    """The words are the same; something like bold type or a heading's level is not."""

    @property
    def is_empty(self) -> bool:
        return not self.only_markup and not any(one.is_changed for one in self.paragraphs)

    @property
    def changed_words(self) -> int:
        """How many words were added or taken away."""
        runs = [run for one in self.paragraphs for run in one.runs if run.kind != Kind.SAME]
        return sum(len(run.text.split()) for run in runs)

    def folded(self) -> Iterator[Paragraph | int]:
        """Without the unchanged paragraphs between two changes: their number instead.

        One unchanged paragraph stays on each side of a change, to say where it is.
        """
        near = {
            number + offset
            for number, one in enumerate(self.paragraphs)
            if one.is_changed
            for offset in (-1, 0, 1)
        }
        skipped = 0
        for number, one in enumerate(self.paragraphs):
            if number in near:
                if skipped:
                    yield skipped
                skipped = 0
                yield one
            else:
                skipped += 1
        if skipped:
            yield skipped


def difference(old: tuple[str, str, str], new: tuple[str, str, str]) -> Difference:
    """Between two (title, lead, body), the body being HTML."""
    before, after = _blocks(*old), _blocks(*new)
    paragraphs = tuple(_compare(before, after))
    same_words = [block.text for block in before] == [block.text for block in after]
    markup = same_words and html.squeezed(old[2]) != html.squeezed(new[2])
    return Difference(paragraphs, markup)


def _blocks(title: str, lead: str, body: str) -> list[Block]:
    own = [Block(kind, text) for kind, text in (("h1", title), ("lead", lead)) if text]
    return [*own, *html.blocks(body)]


def _compare(before: list[Block], after: list[Block]) -> Iterator[Paragraph]:
    # Whole paragraphs as the unit, by their words: quick, since most are the same.
    matcher = SequenceMatcher(None, _keys(before), _keys(after), autojunk=False)
    for what, i, j, k, m in matcher.get_opcodes():
        if what == "equal":
            yield from (_plain(block, Kind.SAME) for block in after[k:m])
        else:
            yield from _rewritten(before[i:j], after[k:m])


def _keys(blocks: list[Block]) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.text, block.links) for block in blocks]


def _rewritten(before: list[Block], after: list[Block]) -> Iterator[Paragraph]:
    """Pairs each new paragraph with the old one at its place, if they are alike."""
    for number in range(max(len(before), len(after))):
        old = before[number] if number < len(before) else None
        new = after[number] if number < len(after) else None
        if old is None or new is None:
            one = new or old
            if one is not None:
                yield _plain(one, Kind.ADDED if old is None else Kind.REMOVED)
            continue
        runs = _words(old.text, new.text)
        if runs is None:
            yield _plain(old, Kind.REMOVED)
            yield _plain(new, Kind.ADDED)
        else:
            yield Paragraph(new.kind, (*runs, *_links(old, new)))


def _words(old: str, new: str) -> tuple[Run, ...] | None:
    """None where the two are too long or too different to be one paragraph."""
    before, after = WORDS.findall(old), WORDS.findall(new)
    if max(len(before), len(after)) > MOST_WORDS:
        return None
    if _alikeness(before, after) < ALIKE:
        return None
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    runs = []
    for what, i, j, k, m in matcher.get_opcodes():
        if what == "equal":
            runs.append(Run(Kind.SAME, "".join(after[k:m])))
            continue
        if j > i:
            runs.append(Run(Kind.REMOVED, "".join(before[i:j])))
        if m > k:
            runs.append(Run(Kind.ADDED, "".join(after[k:m])))
    return tuple(runs)


def _alikeness(before: list[str], after: list[str]) -> float:
    """From 0 to 1; the spaces between words are alike in any two texts."""
    old, new = ([one for one in pieces if not one.isspace()] for pieces in (before, after))
    return SequenceMatcher(None, old, new, autojunk=False).ratio()


def _links(old: Block, new: Block) -> list[Run]:
    """Where a link leads is part of what is said, and stands in no word."""
    if old.links == new.links:
        return []
    gone = [link for link in old.links if link not in new.links]
    come = [link for link in new.links if link not in old.links]
    return [
        *(Run(Kind.REMOVED, f" {link}") for link in gone),
        *(Run(Kind.ADDED, f" {link}") for link in come),
    ]


def _plain(block: Block, kind: Kind) -> Paragraph:
    return Paragraph(block.kind, (Run(kind, block.text),))
