"""Splits a text into words, folds them and stems them.

Folding removes case, accents (ё becomes е, ў becomes у, stress marks go), apostrophes and soft
hyphens. Snowball stems Russian and English, `articles.search.belarusian` stems Belarusian; in any
other language words are only folded.

A stem has letters and digits only. After a change here or a new release of Snowball the stored
stems must be computed again: `manage.py rebuild_search`.
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
# Combining accents, soft hyphen, zero-width characters.
INVISIBLE = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
WORD = re.compile(rf"[^\W_]+(?:(?:[{INVISIBLE}]|[{APOSTROPHES}](?=[^\W_]))[^\W_]*)*")
# й is a separate letter; from any other letter the accents are removed.
ACCENT = re.compile("[\u0300-\u0305\u0307-\u036f]|(?<!и)\u0306")
NON_LETTER = re.compile(r"[^\w']|_")
LETTER_VARIANTS = str.maketrans({**dict.fromkeys(APOSTROPHES, "'"), "ґ": "г"})
STEM_CACHE_SIZE = 50_000
"""Words per process: a few megabytes."""
MAX_WORD_LENGTH = 60
"""Letters; longer words are truncated, since Snowball's time grows with the length."""

_stemmer_lock = Lock()


def _snowball(stemmer: EnglishStemmer | RussianStemmer) -> Callable[[str], str]:
    def stem(word: str) -> str:
        # A Snowball stemmer is not thread-safe.
        with _stemmer_lock:
            return str(stemmer.stemWord(word))

    return stem


# Not snowballstemmer.stemmer(), which prefers PyStemmer where that is installed.
STEMMERS: dict[str, Callable[[str], str]] = {
    "be": lambda word: belarusian.stem(word.replace("'", "")),
    "en": _snowball(EnglishStemmer()),
    "ru": _snowball(RussianStemmer()),
}


def fold(word: str) -> str:
    """Lower case, no accents, one kind of apostrophe."""
    plain = word[: 2 * MAX_WORD_LENGTH].casefold().translate(LETTER_VARIANTS)
    decomposed = ACCENT.sub("", unicodedata.normalize("NFKD", plain))
    return NON_LETTER.sub("", unicodedata.normalize("NFKC", decomposed))[:MAX_WORD_LENGTH]


@lru_cache(STEM_CACHE_SIZE)
def stem(word: str, language: str) -> str:
    """Of one word as written; empty if it has no letters or digits."""
    folded = fold(word)
    strip = STEMMERS.get(language)
    return (strip(folded) if strip else folded).replace("'", "")


def stems(text: str, language: str) -> Iterator[str]:
    """Of each word, in order."""
    for found in WORD.finditer(text):
        stemmed = stem(found[0], language)
        if stemmed:
            yield stemmed
