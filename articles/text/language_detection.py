"""Language detection by letters and most frequent words."""

from __future__ import annotations

import re
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*")
QUOTED = re.compile(r"«[^»]*»|“[^”]*”|„[^“]*“")
DISTINCTIVE_LETTERS = {"be": "іў", "ru": "ищъ"}
"""Letters that the other Cyrillic alphabet lacks."""
COMMON_WORDS = {
    "be": """
        у і ў на што з не па для гэта гэты гэтага як яго яна яны ён ад да пра але таксама калі
        якія які якая была быў былі будзе ці каб са за аб паводле пасля толькі яшчэ можа мае""",
    "ru": """
        и в на что с не по для это этот этого как его она они он от до о но также когда которые
        который которая была был были будет или чтобы со за об после только ещё может имеет если""",
    "en": """
        the of and to in a is that for it with as was on are by be this from at which has have an
        or not but his her they their its will would been were had more who about after""",
}
"""Stop words by language."""
DISTINCTIVE_WORDS = {
    code: set(own.split()).difference(
        *(words.split() for other, words in COMMON_WORDS.items() if other != code)
    )
    for code, own in COMMON_WORDS.items()
}
"""Stop words of one language only."""
MIN_WORDS = 3
MIN_LEAD_RATIO = 2.0
"""The best score must be this many times the second."""


def detect_language(text: str, among: list[str]) -> str | None:
    """One of the codes; None if the text is too short, or mixes languages.

    Ignores quotations: a Belarusian text may quote Russian.
    """
    own = QUOTED.sub(" ", text)
    words = [word.lower() for word in WORD.findall(own if WORD.search(own) else text)]
    if len(words) < MIN_WORDS or _is_mixed(words):
        return None
    scores = Counter({code: _score(words, code) for code in among if code in COMMON_WORDS})
    ranked = scores.most_common(2)
    if not ranked or ranked[0][1] < 1:
        return None
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else ("", 0.0)
    return first[0] if first[1] >= MIN_LEAD_RATIO * second[1] else None


def _is_mixed(words: list[str]) -> bool:
    """Whether both alphabets have a fair share; a Latin name in a Russian title does not count."""
    latin = sum(word.isascii() for word in words)
    return 3 * min(latin, len(words) - latin) >= max(latin, len(words) - latin)


def _score(words: list[str], code: str) -> float:
    """Words with a distinctive letter, in the alphabet, or among the stop words."""
    known = DISTINCTIVE_WORDS[code]
    if code == "en":
        return sum(word.isascii() for word in words) / 2 + sum(word in known for word in words)
    letters = set(DISTINCTIVE_LETTERS[code])
    return float(sum(bool(letters & set(word)) or word in known for word in words))
