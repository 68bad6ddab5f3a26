"""Which words are forms of one word, by the dictionaries of a spelling checker.

Debian has them as `hunspell-be`, `hunspell-ru` and `hunspell-en-us`. An entry names the endings
that its word takes; with them written out, all forms of an entry are one paradigm. Nothing of a
dictionary is kept: what is printed are counts over the words of a corpus.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from zlib import crc32

FOLDER = Path("/usr/share/hunspell")
FILES = {"be": "be_BY", "ru": "ru_RU", "en": "en_US"}
PACKAGES = "hunspell-be hunspell-ru hunspell-en-us"
# A dictionary without -a flag for it: nouns that take only these endings are plurals.
PLURAL = set("PQGLZ")
BOTH_NUMBERS = set("PQFGL")
# English derives other words by endings too; these alone inflect: -ed, -ing, -s, -er, -est, 's.
INFLECTING = {"en": set("DGSRTM")}


@dataclass(frozen=True)
class Ending:
    """One line of a dictionary's rules: takes an ending off and puts another one on."""

    off: str
    on: str
    behind: Callable[[str], object]

    def put_on(self, word: str) -> str | None:
        if not self.behind(word):
            return None
        return word[: len(word) - len(self.off)] + self.on


@cache
def _behind(condition: str) -> Callable[[str], object]:
    return re.compile(f".*(?:{condition})$").match


def read_endings(path: Path) -> dict[str, list[Ending]]:
    """The endings by their flag. Prefixes make other words and are left out."""
    found: dict[str, list[Ending]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        cells = line.split()
        if len(cells) >= 5 and cells[0] == "SFX" and cells[3] != cells[2]:
            off, on = (cell.partition("/")[0].replace("0", "") for cell in cells[2:4])
            found[cells[1]].append(Ending(off, on, _behind(cells[4])))
    return found


def paradigms(language: str, known: set[str]) -> list[frozenset[str]]:
    """The forms of each word, as far as they are among the `known` ones (lower case)."""
    path = FOLDER / FILES[language]
    endings = read_endings(path.with_suffix(".aff"))
    starts = {word[:2] for word in known}
    groups: dict[str, set[str]] = defaultdict(set)
    for number, line in enumerate(path.with_suffix(".dic").read_text("utf-8").splitlines()[1:]):
        word, _, flags = line.strip().partition("/")
        if word[:2].lower() not in starts:
            continue
        forms = {word.lower()}
        for flag in flags:
            if language not in INFLECTING or flag in INFLECTING[language]:
                made = (ending.put_on(word) for ending in endings.get(flag, ()))
                forms |= {form.lower() for form in made if form}
        if there := forms & known:
            same = belonging(word.lower(), set(flags)) if language == "be" else ""
            groups[same or str(number)] |= there
    return [frozenset(forms) for forms in groups.values()]


def belonging(word: str, flags: set[str]) -> str:
    """What joins entries of the Belarusian dictionary that are one word; empty for one by itself.

    It has the singular and the plural of a noun apart where the stress moves and the vowels with
    it (вада, воды), and so a verb's forms (стварыць, створыць) and its adverbs (ведаючы). They are
    joined where they are alike but for such vowels, and one has only what the other lacks.
    """
    if word.endswith(("ць", "цца")):
        return "verb " + skeleton(word.removesuffix("ць").removesuffix("цца"))
    if word.endswith(("ючы", "учы", "ю", "у")) and flags <= set("cdefghbjxyA"):
        return "present " + skeleton(word.removesuffix("чы"))
    if flags and flags <= PLURAL and word[-1] in "ыі":
        return "noun " + skeleton(word[:-1])
    if flags & set("DEOHUT") and not flags & BOTH_NUMBERS:
        return "noun " + FLEETING.sub(r"\1", skeleton(word.rstrip("аяоеёьй")))
    return ""


FLEETING = re.compile(r"(?<=..)[ая]([кц])$")


def skeleton(word: str) -> str:
    """Without what the stress does to vowels."""
    return word.translate(str.maketrans("оэеё", "ааяя"))


@dataclass
class Score:
    """How a stemmer does on one half of the paradigms."""

    pairs: int = 0
    found: int = 0
    together: int = 0
    wrongly: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    merged: list[tuple[str, str]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.pairs if self.pairs else 0.0

    @property
    def precision(self) -> float:
        return 1 - self.wrongly / self.together if self.together else 1.0


def half_of(forms: Iterable[str]) -> int:
    """0 to try rules on, 1 to be held out: by the first form, so that it never changes."""
    return crc32(min(forms).encode()) % 2


def score(
    language: str, words: Iterable[str], stem: Callable[[str], str], half: int | None = None
) -> Score:
    """Over pairs of different words of a corpus.

    Recall: of the pairs that are forms of one entry, how many have one stem. Precision: of the
    pairs that have one stem, how many are forms of one entry; words that the dictionary does not
    know are left out.
    """
    known = set(words)
    groups = paradigms(language, known)
    of_word: dict[str, set[int]] = defaultdict(set)
    halves: dict[str, int] = {}
    for number, forms in enumerate(groups):
        for form in forms:
            of_word[form].add(number)
    result = Score()
    seen: set[tuple[str, str]] = set()
    for forms in groups:
        if half is not None and half_of(forms) != half:
            continue
        halves |= dict.fromkeys(forms, 0)
        for pair in combinations(sorted(forms), 2):
            if pair in seen:
                continue
            seen.add(pair)
            result.pairs += 1
            if stem(pair[0]) == stem(pair[1]):
                result.found += 1
            else:
                result.missed.append(pair)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for word in sorted(halves):
        by_stem[stem(word)].append(word)
    for same in by_stem.values():
        for one, other in combinations(same, 2):
            result.together += 1
            if not of_word[one] & of_word[other]:
                result.wrongly += 1
                result.merged.append((one, other))
    return result
