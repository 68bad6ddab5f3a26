"""A stemmer for Belarusian, which Snowball lacks.

It has no dictionary. It strips the longest known ending, never past the first vowel, and then
normalises the alternations of inflection:

- vowel reduction under mobile stress: вада, воды; рака, рэкі; сяло, сёлы;
- consonant alternation: нага, назе; рука, руцэ; горад, горадзе; свет, свеце; хаджу, хадзіць;
  раблю, робіць;
- fleeting vowels: канец, канца; рынак, рынкі;
- в and ў after a vowel: заявы, заяў; справа, спраў.

A stem is not a word and is never shown. benchmarks/search.py measures recall and precision.
"""

from __future__ import annotations

import re

VOWELS = "аеіоуыэюя"
VOWEL = f"[{VOWELS}]"
SOFTENING_LETTERS = tuple("еіюяь")
MIN_WORD_LENGTH = 3
"""Letters; shorter words are not stemmed."""
THEMATIC_VOWEL = "[аяуіэе]"
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
    f"(?:{IMPERFECTIVE}|{THEMATIC_VOWEL})(?:е|ю|еш|ем|еце|юць|ючы)|{THEMATIC_VOWEL}(?:й|йце)|"
    + _endings("уць юць аць яць учы ючы еш эш аш яш іш ыш іце")
)
PAST = _last(f"(?:{IMPERFECTIVE}|[аяыіеэу])(?:ць|у|ушы|ла|ло|лі)")
"""With the infinitive, which has the same stem."""
NOUN = _last(
    f"(?<!{VOWEL})у|"
    + _endings(
        "а я ю ы і е э о ь й ам ям ом ем эм ой ей эй ай яй ою ею эю аю яю ах ях ох ех амі ямі ьмі"
        " ім ья ьі ье ью ія ыя іі ыі ію ыю іе ые ій ый іей ыей іям ыям іях ыях іямі ыямі іяй ыяй"
        " ея еі еям еях еямі эя эі эям эях"
    )
)
GENITIVE_PLURAL = _last(_endings("ау яу оу еу іяу ыяу"))
# With the minimum length of the stem: заяў must not become за.
ENDINGS = ((ADJECTIVE, 0), (PRESENT, 0), (PAST, 3), (NOUN, 0), (GENITIVE_PLURAL, 3))

CONSONANTS = {"ч": "к", "ж": "г", "з": "г", "ш": "х", "с": "х", "ь": ""}
SOFT_LABIAL = re.compile("(?<=..[бпвмф])л$")
VERBAL_L = re.compile(f"(?<=...){VOWEL}л$")
PARTICIPLE = re.compile("(?<=...)[ую]ч$")
FLEETING_VOWEL = re.compile(f"(?<={VOWEL})([^{VOWELS}]+)[аоеяэ](?=[кцнлр]$)")
NON_SYLLABIC_U = re.compile(f"(?<={VOWEL})у")
UNSTRESSED = str.maketrans("оэе", "аая")


def stem(word: str) -> str:
    """The stem of a folded word: lower case, е for ё, у for ў, no apostrophes."""
    vowel = re.search(VOWEL, word)
    if len(word) < MIN_WORD_LENGTH or vowel is None:
        return _normalised(word, "")
    whole, shortest = _without_reflexive(word), max(vowel.end(), 2)
    if vowel.end() == len(word):
        # The only vowel is the ending: дня, дні.
        shortest = 2
    starts = [
        found.start()
        for ending, leaves in ENDINGS
        if (found := ending.search(whole, max(shortest, leaves)))
    ]
    rest = whole[: min(starts)] if starts else whole
    return _normalised(rest, whole[len(rest) :])


def _without_reflexive(word: str) -> str:
    found = REFLEXIVE.search(word)
    if found is None or len(word) < 5:
        return word
    verb = word[: found.start()]
    # змагацца is змагаць, змагаюцца is змагаюць; змагаецца is змагае.
    return verb + "ць" if found[0] == "цца" and verb[-1] not in "еэ" else verb


def _normalised(rest: str, ending: str) -> str:
    if len(rest) > 2:
        rest = _base_consonant(PARTICIPLE.sub("", rest), ending)
    rest = VERBAL_L.sub("", SOFT_LABIAL.sub("", rest.replace("дз", "д")))
    if len(rest) > 2 and rest[-1] == rest[-2]:
        rest = rest[:-1]
    rest = NON_SYLLABIC_U.sub("в", FLEETING_VOWEL.sub(r"\1", rest))
    return rest.translate(UNSTRESSED)


def _base_consonant(rest: str, ending: str) -> str:
    """The last consonant, as before other endings."""
    if rest.endswith("ц"):
        # свеце: свет; руцэ: рука; канцы: канец, stemmed as if "канек".
        return rest[:-1] + ("т" if ending.startswith(SOFTENING_LETTERS) else "к")
    if rest.endswith(("дз", "дж")):
        return rest[:-1]
    return rest[:-1] + CONSONANTS.get(rest[-1], rest[-1])
