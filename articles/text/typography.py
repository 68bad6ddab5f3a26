"""Quotation marks and dashes, as each language writes them; for the editor and for checking.

English as in The Oxford Style Manual (double first, spaced en dash); Belarusian and Russian with
«ёлачкі» and „лапкі“ inside them, and a spaced em dash that does not begin a line.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Marks:
    """One language's. `spaced_dash` takes the place of a hyphen between two spaces."""

    opening: str
    closing: str
    inner_opening: str
    inner_closing: str
    dash: str
    spaced_dash: str
    apostrophe: str = "\N{RIGHT SINGLE QUOTATION MARK}"


ENGLISH = Marks("“", "”", "‘", "’", "–", " – ")
SLAVIC = Marks("«", "»", "„", "“", "—", f"{NO_BREAK}— ")
MARKS = {"en": ENGLISH, "be": SLAVIC, "ru": SLAVIC}
STRAIGHT = re.compile(r"""["]|(?<=[^\W\d_])'|(?<!\d)'(?=\w)|(?<=\s)--?(?=\s)""")
"""A figure before it makes an apostrophe a measure: 5'6."""
QUOTATION = re.compile("[“”„‟‘‚‹›«»]")
SPACED_DASH = re.compile(r"(?<=\s)[–—](?=\s)")


def marks_of(language: str) -> Marks:
    """English's where the newsroom has not said otherwise."""
    return MARKS.get(language, ENGLISH)


def for_editor(language: str) -> dict[str, str]:
    """The table as static/typography.js reads it."""
    return asdict(marks_of(language))


def is_typewritten(text: str) -> bool:
    """Whether straight quotation marks, apostrophes or a hyphen for a dash are left in a text."""
    return STRAIGHT.search(text) is not None


def foreign_marks(text: str, language: str) -> list[str]:
    """Quotation marks and spaced dashes in a text that its language does not use; each once."""
    marks = marks_of(language)
    own = {marks.opening, marks.closing, marks.inner_opening, marks.inner_closing, marks.dash}
    found = [*QUOTATION.findall(text), *SPACED_DASH.findall(text)]
    return [mark for mark in dict.fromkeys(found) if mark not in own]
