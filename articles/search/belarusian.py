"""Belarusian words without their endings, for searching.

Snowball has no stemmer of Belarusian, and none else was found. This one has no dictionary either:
it takes off the longest ending it knows, never past the first vowel, and then levels what
inflection does to the rest of a word:

- vowels under a moving stress: вада, воды; рака, рэкі; сяло, сёлы;
- the consonant before an ending: нага, назе; рука, руцэ; горад, горадзе; свет, свеце; хаджу,
  хадзіць; раблю, робіць;
- a vowel that comes and goes: канец, канца; рынак, рынкі;
- в behind a vowel: заявы, заяў; справа, спраў.

A stem is no word and is never shown. What it is worth is measured by benchmarks/search.py.
"""

from __future__ import annotations

import re

VOWELS = "аеіоуыэюя"
VOWEL = f"[{VOWELS}]"
SOFTENING = tuple("еіюяь")
SHORTEST = 3
"""Letters of a word that may have an ending."""
THEME = "[аяуіэе]"
IMPERFECTIVE = "(?:[аяыіу]ва|(?<=[гкх])ва)"


def _endings(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


def _last(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern})$")


REFLEXIVE = _last("ся|цца")
ADJECTIVE = _last(
    _endings("ая яя ое ае яе ее ога ага яга ому аму яму ему ым ім ую юю ыя ія ых іх ымі імі")
)
PRESENT = _last(
    f"(?:{IMPERFECTIVE}|{THEME})(?:е|ю|еш|ем|еце|юць|ючы)|{THEME}(?:й|йце)|"
    + _endings("уць юць аць яць учы ючы еш эш аш яш іш ыш іце")
)
PAST = _last(f"(?:{IMPERFECTIVE}|[аяыіеэу])(?:ць|у|ушы|ла|ло|лі)")
"""The infinitive too: both stand on one stem."""
NOUN = _last(
    f"(?<!{VOWEL})у|"
    + _endings(
        "а я ю ы і е э о ь й ам ям ом ем эм ой ей эй ай яй ою ею эю аю яю ах ях ох ех амі ямі ьмі"
        " ім ья ьі ье ью ія ыя іі ыі ію ыю іе ые ій ый іей ыей іям ыям іях ыях іямі ыямі іяй ыяй"
        " ея еі еям еях еямі эя эі эям эях"
    )
)
OF_MANY = _last(_endings("ау яу оу еу іяу ыяу"))
# Each with how much of a word it has to leave. What is left of заяў is no за.
LEAVING = ((ADJECTIVE, 0), (PRESENT, 0), (PAST, 3), (NOUN, 0), (OF_MANY, 3))

CONSONANTS = {"ч": "к", "ж": "г", "з": "г", "ш": "х", "с": "х", "ь": ""}
SOFT_LABIAL = re.compile("(?<=..[бпвмф])л$")
VERBAL_L = re.compile(f"(?<=...){VOWEL}л$")
PARTICIPLE = re.compile("(?<=...)[ую]ч$")
FLEETING = re.compile(f"(?<={VOWEL})([^{VOWELS}]+)[аоеяэ](?=[кцнлр]$)")
NOT_SYLLABIC = re.compile(f"(?<={VOWEL})у")
UNSTRESSED = str.maketrans("оэе", "аая")


def stem(word: str) -> str:
    """What all forms of a word have in common, as far as its letters tell.

    The word is in lower case, with е for ё, у for ў and no apostrophes.
    """
    vowel = re.search(VOWEL, word)
    if len(word) < SHORTEST or vowel is None:
        return _levelled(word, "")
    whole, shortest = _without_reflexive(word), max(vowel.end(), 2)
    if vowel.end() == len(word):
        # Its only vowel is its ending: дня, дні.
        shortest = 2
    starts = [
        found.start()
        for ending, leaves in LEAVING
        if (found := ending.search(whole, max(shortest, leaves)))
    ]
    rest = whole[: min(starts)] if starts else whole
    return _levelled(rest, whole[len(rest) :])


def _without_reflexive(word: str) -> str:
    found = REFLEXIVE.search(word)
    if found is None or len(word) < 5:
        return word
    verb = word[: found.start()]
    # змагацца is змагаць, змагаюцца is змагаюць; змагаецца is змагае.
    return verb + "ць" if found[0] == "цца" and verb[-1] not in "еэ" else verb


def _levelled(rest: str, ending: str) -> str:
    if len(rest) > 2:
        rest = _consonant(PARTICIPLE.sub("", rest), ending)
    rest = VERBAL_L.sub("", SOFT_LABIAL.sub("", rest.replace("дз", "д")))
    if len(rest) > 2 and rest[-1] == rest[-2]:
        rest = rest[:-1]
    rest = NOT_SYLLABIC.sub("в", FLEETING.sub(r"\1", rest))
    return rest.translate(UNSTRESSED)


def _consonant(rest: str, ending: str) -> str:
    """The last one as it is before other endings."""
    if rest.endswith("ц"):
        # свеце is of свет, руцэ of рука, and канцы of канец, which is treated as if of "канек".
        return rest[:-1] + ("т" if ending.startswith(SOFTENING) else "к")
    if rest.endswith(("дз", "дж")):
        return rest[:-1]
    return rest[:-1] + CONSONANTS.get(rest[-1], rest[-1])
