"""A readable difference of two texts: paragraphs are matched first, then the words in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import zip_longest

from articles.text import sanitizer
from articles.text.sanitizer import Block

WORDS = re.compile(r"\s*(?:\w+|[^\w\s])")
"""A word or a mark, with the space before it."""
MAX_TOKENS = 16_000
"""Words and marks of both paragraphs together. Longer ones are replaced as a whole: what difflib
needs grows with the square, and is two seconds here at the worst."""
MOST_PARAGRAPHS = 40_000
"""Pairs that are weighed by the words they share; beyond that, paragraphs are paired by place."""
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
    same_words = _keys(before) == _keys(after)
    markup = same_words and sanitizer.squeezed(old[2]) != sanitizer.squeezed(new[2])
    return Difference(paragraphs, markup)


def amount(old: tuple[str, str, str], new: tuple[str, str, str]) -> tuple[int, int]:
    """How many words came and how many went, wherever they stand: for a list of many."""
    before, after = (_vocabulary(" ".join(one.text for one in _blocks(*it))) for it in (old, new))
    return (after - before).total(), (before - after).total()


def _blocks(title: str, lead: str, body: str) -> list[Block]:
    own = [Block(kind, text) for kind, text in (("h1", title), ("lead", lead)) if text]
    return [*own, *sanitizer.blocks(body)]


def _keys(blocks: list[Block]) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.text, block.links) for block in blocks]


def _vocabulary(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text))


# --- Paragraphs ----------------------------------------------------------------------


def _compare(before: list[Block], after: list[Block]) -> Iterator[Paragraph]:
    for is_same, i, j, k, m in _aligned(_keys(before), _keys(after)):
        if is_same:
            yield from (_plain(block, Kind.SAME) for block in after[k:m])
        else:
            yield from _rewritten(before[i:j], after[k:m])


def _rewritten(before: list[Block], after: list[Block]) -> Iterator[Paragraph]:
    """Each new paragraph beside the old one that it was, if there is one."""
    for old, new in _paired(before, after):
        runs = _words(old.text, new.text) if old and new else None
        if runs is not None and old and new:
            yield Paragraph(new.kind, (*runs, *_links(old, new)))
            continue
        if old:
            yield _plain(old, Kind.REMOVED)
        if new:
            yield _plain(new, Kind.ADDED)


def _paired(before: list[Block], after: list[Block]) -> Iterator[tuple[Block | None, Block | None]]:
    """In their order, so that as much as can be is said to have been rewritten."""
    rows, columns = len(before), len(after)
    if rows * columns > MOST_PARAGRAPHS:
        yield from zip_longest(before, after)
        return
    ours, theirs = ([_vocabulary(block.text) for block in blocks] for blocks in (before, after))
    alike = [[_alikeness(old, new) for new in theirs] for old in ours]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for k in reversed(range(columns)):
            both = alike[i][k] + best[i + 1][k + 1] if alike[i][k] >= ALIKE else 0.0
            best[i][k] = max(both, best[i + 1][k], best[i][k + 1])
    i = k = 0
    while i < rows and k < columns:
        if alike[i][k] >= ALIKE and best[i][k] == alike[i][k] + best[i + 1][k + 1]:
            yield before[i], after[k]
            i, k = i + 1, k + 1
        elif best[i][k] == best[i + 1][k]:
            yield before[i], None
            i += 1
        else:
            yield None, after[k]
            k += 1
    yield from ((block, None) for block in before[i:])
    yield from ((None, block) for block in after[k:])


def _alikeness(old: Counter[str], new: Counter[str]) -> float:
    """From 0 to 1: how many of their words two paragraphs share."""
    total = old.total() + new.total()
    return 2 * (old & new).total() / total if total else 0.0


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


# --- Words ---------------------------------------------------------------------------


def _words(old: str, new: str) -> tuple[Run, ...] | None:
    """None where too little is left in its place for one to be the other, rewritten."""
    before, after = WORDS.findall(old), WORDS.findall(new)
    found = _aligned([one.strip() for one in before], [one.strip() for one in after])
    kept = sum(m - k for is_same, _i, _j, k, m in found if is_same)
    if 2 * kept < ALIKE * (len(before) + len(after)):
        return None
    runs: list[Run] = []
    for is_same, i, j, k, m in found:
        gone, come = "".join(before[i:j]), "".join(after[k:m])
        if is_same:
            runs.append(Run(Kind.SAME, come))
            continue
        if runs and gone[:1] == come[:1] == " ":
            # The space before a word that was replaced stays.
            runs[-1] = Run(runs[-1].kind, runs[-1].text + " ")
            gone, come = gone[1:], come[1:]
        runs += [
            Run(kind, text) for kind, text in ((Kind.REMOVED, gone), (Kind.ADDED, come)) if text
        ]
    return tuple(runs)


# --- Either --------------------------------------------------------------------------

Stretch = tuple[bool, int, int, int, int]
"""Whether old[i:j] and new[k:m] are the same, and i, j, k, m."""


def _aligned(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Stretch]:
    """What stayed and what was replaced by what, in order.

    By difflib with its `autojunk`: what stands everywhere holds nothing together. Without it a
    paragraph of two thousand words takes half a minute.
    """
    if len(old) + len(new) > MAX_TOKENS:
        return [(old == new, 0, len(old), 0, len(new))]
    matcher = SequenceMatcher(None, old, new)
    return [(what == "equal", i, j, k, m) for what, i, j, k, m in matcher.get_opcodes()]
