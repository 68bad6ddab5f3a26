"""The words of a text, each folded and without its ending, so that all its forms are one.

Folded means: no case, no accents (so ё is е and ў is у, and a marked stress is none), no
apostrophes, no soft hyphens. Endings are stripped by Snowball where it knows the language, by
`articles.search.belarusian` for Belarusian; in any other language a word is only folded.

A stem has letters and digits only. Whoever keeps stems has to compute them anew after a change
here or a new release of Snowball: `manage.py rebuild_search`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock

from snowballstemmer import EnglishStemmer, RussianStemmer

from articles.search import belarusian

APOSTROPHES = "'’ʼ‘`´′＇"
# What stands in a word and is not seen: accents, the soft hyphen, and the widthless.
UNSEEN = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
WORD = re.compile(rf"[^\W_]+(?:(?:[{UNSEEN}]|[{APOSTROPHES}](?=[^\W_]))[^\W_]*)*")
# й is a letter of its own; what stands above any other letter is taken off.
ACCENT = re.compile("[\u0300-\u0305\u0307-\u036f]|(?<!и)\u0306")
NO_LETTER = re.compile(r"[^\w']|_")
ONE_LETTER = str.maketrans({**dict.fromkeys(APOSTROPHES, "'"), "ґ": "г"})
KNOWN_WORDS = 50_000
"""Words that a process keeps the stems of: a few megabytes."""
LONGEST = 60
"""Letters by which a word is told from others; Snowball's time grows with them."""

_one_at_a_time = Lock()


def _snowball(stemmer: EnglishStemmer | RussianStemmer) -> Callable[[str], str]:
    def stem(word: str) -> str:
        # A Snowball stemmer keeps the word it works on in itself.
        with _one_at_a_time:
            return str(stemmer.stemWord(word))

    return stem


# Snowball's own classes: its stemmer() would take another library's where that is installed.
STEMMERS: dict[str, Callable[[str], str]] = {
    "be": lambda word: belarusian.stem(word.replace("'", "")),
    "en": _snowball(EnglishStemmer()),
    "ru": _snowball(RussianStemmer()),
}


def fold(word: str) -> str:
    """In lower case and without accents; apostrophes are all alike."""
    plain = word[: 2 * LONGEST].casefold().translate(ONE_LETTER)
    taken_apart = ACCENT.sub("", unicodedata.normalize("NFKD", plain))
    return NO_LETTER.sub("", unicodedata.normalize("NFKC", taken_apart))[:LONGEST]


@lru_cache(KNOWN_WORDS)
def stem(word: str, language: str) -> str:
    """Of one word as it is written; empty if there is nothing in it to search for."""
    folded = fold(word)
    strip = STEMMERS.get(language)
    return (strip(folded) if strip else folded).replace("'", "")


def stems(text: str, language: str) -> Iterator[str]:
    """Of each word, in their order."""
    for found in WORD.finditer(text):
        stemmed = stem(found[0], language)
        if stemmed:
            yield stemmed
