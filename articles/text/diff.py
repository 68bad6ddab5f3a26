"""A word diff of two texts: matches paragraphs first, then the words in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import zip_longest

from articles.text import sanitizer
from articles.text.sanitizer import Block, normalize_whitespace

WORDS = re.compile(r"\s*(?:\w+|[^\w\s])")
"""A word or punctuation mark, with the space before it."""
MAX_TOKENS = 16_000
"""Of both paragraphs together. Longer ones are replaced as a whole: difflib takes quadratic time,
two seconds here at worst."""
MAX_PARAGRAPH_PAIRS = 40_000
"""Compared by shared words; beyond that, paragraphs are paired by position."""
MIN_SIMILARITY = 0.3
"""From 0 to 1; above it a paragraph counts as rewritten, not as replaced."""


class ChangeKind(StrEnum):
    """What happened to a run of text."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Run:
    """Consecutive words with the same kind of change."""

    kind: ChangeKind
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A block of one text or of both, as runs."""

    block: str
    runs: tuple[Run, ...]

    @property
    def is_changed(self) -> bool:
        return any(run.kind != ChangeKind.SAME for run in self.runs)


@dataclass(frozen=True)
class TextDiff:
    """Title, lead and body, one paragraph after the other."""

    paragraphs: tuple[Paragraph, ...]
    is_markup_only: bool
    """The words are the same, but not, say, bold type or a heading's level."""

    @property
    def is_empty(self) -> bool:
        return not self.is_markup_only and not any(one.is_changed for one in self.paragraphs)

    @property
    def changed_words(self) -> int:
        """Added and removed."""
        runs = [run for one in self.paragraphs for run in one.runs if run.kind != ChangeKind.SAME]
        return sum(len(run.text.split()) for run in runs)

    def folded(self) -> Iterator[Paragraph | int]:
        """Changed paragraphs with one of context on each side; the count of those skipped."""
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


def diff_texts(old: tuple[str, str, str], new: tuple[str, str, str]) -> TextDiff:
    """Between two (title, lead, body), the body being HTML."""
    before, after = _blocks(*old), _blocks(*new)
    paragraphs = tuple(_compare(before, after))
    same_words = _keys(before) == _keys(after)
    same_markup = normalize_whitespace(old[2]) == normalize_whitespace(new[2])
    return TextDiff(paragraphs, same_words and not same_markup)


def count_changed_words(old: tuple[str, str, str], new: tuple[str, str, str]) -> tuple[int, int]:
    """How many words were added and removed, whatever their order: fast enough for lists."""
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
            yield from (_plain(block, ChangeKind.SAME) for block in after[k:m])
        else:
            yield from _rewritten(before[i:j], after[k:m])


def _rewritten(before: list[Block], after: list[Block]) -> Iterator[Paragraph]:
    """Each new paragraph beside its old version, if any."""
    for old, new in _paired(before, after):
        runs = _words(old.text, new.text) if old and new else None
        if runs is not None and old and new:
            yield Paragraph(new.kind, (*runs, *_links(old, new)))
            continue
        if old:
            yield _plain(old, ChangeKind.REMOVED)
        if new:
            yield _plain(new, ChangeKind.ADDED)


def _paired(before: list[Block], after: list[Block]) -> Iterator[tuple[Block | None, Block | None]]:
    """In order, with the greatest total similarity (longest common subsequence)."""
    rows, columns = len(before), len(after)
    if rows * columns > MAX_PARAGRAPH_PAIRS:
        yield from zip_longest(before, after)
        return
    old_words, new_words = (
        [_vocabulary(block.text) for block in blocks] for blocks in (before, after)
    )
    similar = [[_similarity(old, new) for new in new_words] for old in old_words]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for k in reversed(range(columns)):
            both = similar[i][k] + best[i + 1][k + 1] if similar[i][k] >= MIN_SIMILARITY else 0.0
            best[i][k] = max(both, best[i + 1][k], best[i][k + 1])
    i = k = 0
    while i < rows and k < columns:
        if similar[i][k] >= MIN_SIMILARITY and best[i][k] == similar[i][k] + best[i + 1][k + 1]:
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


def _similarity(old: Counter[str], new: Counter[str]) -> float:
    """Dice coefficient of two paragraphs' words, from 0 to 1."""
    total = old.total() + new.total()
    return 2 * (old & new).total() / total if total else 0.0


def _links(old: Block, new: Block) -> list[Run]:
    """Changed link targets, which no word shows."""
    if old.links == new.links:
        return []
    removed = [link for link in old.links if link not in new.links]
    added = [link for link in new.links if link not in old.links]
    return [
        *(Run(ChangeKind.REMOVED, f" {link}") for link in removed),
        *(Run(ChangeKind.ADDED, f" {link}") for link in added),
    ]


def _plain(block: Block, kind: ChangeKind) -> Paragraph:
    return Paragraph(block.kind, (Run(kind, block.text),))


# --- Words ---------------------------------------------------------------------------


def _words(old: str, new: str) -> tuple[Run, ...] | None:
    """None below MIN_SIMILARITY."""
    before, after = WORDS.findall(old), WORDS.findall(new)
    found = _aligned([one.strip() for one in before], [one.strip() for one in after])
    unchanged = sum(m - k for is_same, _i, _j, k, m in found if is_same)
    if 2 * unchanged < MIN_SIMILARITY * (len(before) + len(after)):
        return None
    runs: list[Run] = []
    for is_same, i, j, k, m in found:
        removed, added = "".join(before[i:j]), "".join(after[k:m])
        if is_same:
            runs.append(Run(ChangeKind.SAME, added))
            continue
        if runs and removed[:1] == added[:1] == " ":
            # The space before a replaced word is unchanged.
            runs[-1] = Run(runs[-1].kind, runs[-1].text + " ")
            removed, added = removed[1:], added[1:]
        runs += [
            Run(kind, text)
            for kind, text in ((ChangeKind.REMOVED, removed), (ChangeKind.ADDED, added))
            if text
        ]
    return tuple(runs)


# --- Either --------------------------------------------------------------------------

Opcode = tuple[bool, int, int, int, int]
"""Whether old[i:j] and new[k:m] are the same, and i, j, k, m."""


def _aligned(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Opcode]:
    """The opcodes of difflib, in order.

    With `autojunk`, which ignores frequent words: without it a paragraph of two thousand words
    takes half a minute.
    """
    if len(old) + len(new) > MAX_TOKENS:
        return [(old == new, 0, len(old), 0, len(new))]
    matcher = SequenceMatcher(None, old, new)
    return [(what == "equal", i, j, k, m) for what, i, j, k, m in matcher.get_opcodes()]
