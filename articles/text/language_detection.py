"""Which of the newsroom's languages a text is in, by its letters and its commonest words."""

from __future__ import annotations

import re
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*")
QUOTED = re.compile(r"«[^»]*»|“[^”]*”|„[^“]*“")
ONLY = {"be": "іў", "ru": "ищъ"}
"""Letters that one of the two Cyrillic alphabets has and the other has not."""
COMMON = {
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
"""Words that say little and stand everywhere, by language."""
TELLING = {
    code: set(own.split()).difference(*(COMMON[other].split() for other in COMMON if other != code))
    for code, own in COMMON.items()
}
"""Of these, the ones that no other language has."""
LEAST_WORDS = 3
LEAST_LEAD = 2.0
"""How many times more must speak for a language than for the next."""


def recognise(text: str, among: list[str]) -> str | None:
    """One of the codes; None where too little speaks for it, or two languages are mixed.

    Quotations are left out first: a Russian saying in a Belarusian text is no Russian text.
    """
    own = QUOTED.sub(" ", text)
    words = [word.lower() for word in WORD.findall(own if WORD.search(own) else text)]
    if len(words) < LEAST_WORDS or _is_mixed(words):
        return None
    spoken = Counter({code: _weight(words, code) for code in among if code in COMMON})
    ranked = spoken.most_common(2)
    if not ranked or ranked[0][1] < 1:
        return None
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else ("", 0.0)
    return first[0] if first[1] >= LEAST_LEAD * second[1] else None


def _is_mixed(words: list[str]) -> bool:
    """Two alphabets in earnest: a name in Latin letters makes a short Russian title no English."""
    latin = sum(word.isascii() for word in words)
    return 3 * min(latin, len(words) - latin) >= max(latin, len(words) - latin)


def _weight(words: list[str], code: str) -> float:
    """How many words speak for a language: by a letter, by the alphabet, by being common."""
    if code == "en":
        return sum(word.isascii() for word in words) / 2 + sum(
            word in TELLING[code] for word in words
        )
    letters = set(ONLY[code])
    return float(sum(bool(letters & set(word)) or word in TELLING[code] for word in words))
