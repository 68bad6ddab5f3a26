"""Quotation marks and dashes by language, for the editor and for warnings.

English after The Oxford Style Manual (double quotes first, spaced en dash); Belarusian and Russian
with «ёлачкі», „лапкі“ within them, and a spaced em dash that never begins a line.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class PunctuationMarks:
    """One language's. `spaced_dash` replaces a hyphen between two spaces."""

    opening: str
    closing: str
    inner_opening: str
    inner_closing: str
    dash: str
    spaced_dash: str
    apostrophe: str = "\N{RIGHT SINGLE QUOTATION MARK}"


ENGLISH = PunctuationMarks("“", "”", "‘", "’", "–", " – ")
SLAVIC = PunctuationMarks("«", "»", "„", "“", "—", f"{NO_BREAK}— ")
PUNCTUATION = {"en": ENGLISH, "be": SLAVIC, "ru": SLAVIC}
STRAIGHT = re.compile(r"""["]|(?<=[^\W\d_])'|(?<!\d)'(?=\w)|(?<=\s)--?(?=\s)""")
"""After a digit an apostrophe is a unit: 5'6."""
QUOTATION = re.compile("[“”„‟‘‚‹›«»]")
SPACED_DASH = re.compile(r"(?<=\s)[–—](?=\s)")


def punctuation_of(language: str) -> PunctuationMarks:
    """English's for a language without an entry."""
    return PUNCTUATION.get(language, ENGLISH)


def editor_config(language: str) -> dict[str, str]:
    """For static/typography.js."""
    return asdict(punctuation_of(language))


def has_typewriter_marks(text: str) -> bool:
    """Whether a text has straight quotation marks, apostrophes or a hyphen for a dash."""
    return STRAIGHT.search(text) is not None


def foreign_marks(text: str, language: str) -> list[str]:
    """Quotation marks and spaced dashes that the language does not use, without duplicates."""
    marks = punctuation_of(language)
    own = {marks.opening, marks.closing, marks.inner_opening, marks.inner_closing, marks.dash}
    found = [*QUOTATION.findall(text), *SPACED_DASH.findall(text)]
    return [mark for mark in dict.fromkeys(found) if mark not in own]
