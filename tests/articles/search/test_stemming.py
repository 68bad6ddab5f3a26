"""One stem for all forms of a word, however it is typed."""

from __future__ import annotations

import re
import threading

import pytest

from articles.search.stemming import WORD, fold, stem, stems


def stems_of(words: str, language: str) -> set[str]:
    return set(stems(words, language))


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("be", "выбары выбараў выбарам выбарах выбарамі"),
        ("be", "Мінск Мінска Мінску Мінскам"),
        ("be", "санкцыя санкцыі санкцый санкцыям санкцыяй санкцыямі санкцыях"),
        ("be", "вада вады вадзе ваду вадой воды"),
        ("be", "рака ракі рацэ раку рэкі рэк"),
        ("be", "нага нагу назе ногі"),
        ("be", "эканоміка эканомікі эканоміцы эканоміку эканомікай"),
        ("be", "горад горада горадзе гарады гарадоў гарадах"),
        ("be", "свет свету свеце светам"),
        ("be", "канец канца канцы канцоў"),
        ("be", "заява заявы заяве заяў заявамі"),
        ("be", "новы новая новае новага новаму новай новыя новых новымі"),
        ("be", "незалежнасць незалежнасці незалежнасцю"),
        ("be", "хадзіць хаджу ходзіць ходзяць хадзіў хадзіла хадзілі"),
        ("be", "рабіць раблю робіць робяць рабіў рабілі"),
        ("be", "змагацца змагаецца змагаюцца змагаўся змагалася"),
        ("be", "працаваць працаваў працавала працуе працуюць працуючы"),
        ("ru", "выборы выборов выборам выборах выборами"),
        ("ru", "санкция санкции санкций санкциям санкциях"),
        ("ru", "Минск Минска Минску Минске"),
        ("ru", "новый новая новое нового новому новых новыми"),
        ("en", "election elections elections’ election's"),
        ("en", "sanction sanctions sanctioned sanctioning"),
    ],
)
def test_all_forms_have_one_stem(language: str, forms: str) -> None:
    assert len(stems_of(forms, language)) == 1, stems_of(forms, language)


@pytest.mark.parametrize(
    ("one", "other"),
    [("мова", "моладзь"), ("улада", "уласнасць"), ("суд", "сусед"), ("закон", "заклад")],
)
def test_words_that_only_begin_alike_have_stems_of_their_own(one: str, other: str) -> None:
    assert stem(one, "be") != stem(other, "be")


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("be", "з'езд з’езд зʼезд з`езд З’ЕЗД зезд"),
        ("be", "ўлада улада Ўлада УЛАДА"),
        ("be", "сёння сення Сёння се\u0308ння сё\u0301ння"),
        ("be", "ганак ґанак"),
        ("ru", "ещё еще ЕЩЁ еще\u0308"),
        ("ru", "за\u0301мок замок за\u00adмок"),
        ("en", "café cafe CAFÉ cafe\u0301"),
        ("en", "don't don’t dont"),
    ],
)
def test_a_word_is_found_however_it_is_typed(language: str, written: str) -> None:
    assert len(stems_of(written, language)) == 1, stems_of(written, language)


def test_a_short_i_is_a_letter_of_its_own() -> None:
    assert fold("мой") != fold("мои")
    assert fold("мои\u0306") == fold("мой")


def test_a_language_without_a_stemmer_is_folded() -> None:
    assert list(stems("Санкції ҐАНКУ", "uk")) == ["санкціі", "ганку"]


@pytest.mark.parametrize("language", ["be", "ru", "en", "uk"])
def test_a_stem_is_letters_and_digits_whatever_comes(language: str) -> None:
    """Both databases rely on it: no stem can be an operator, a quotation mark or a space."""
    everything = "".join(map(chr, range(1, 0x3000))) + "ﬁ ½ ㎏ ＡＢ １２ \U0001f600 𝔘 \0"
    hostile = f"""{everything} a"b' OR 1=1 -- NEAR(x y) * ^ : % _ \\ {"щ" * 10_000}"""
    found = list(stems(hostile, language))
    assert "1" in found
    for one in found:
        assert re.fullmatch(r"[^\W_]{1,60}", one), one
    for word in ("ь", "'", "ъъ", "цца", "йй", "ся", "ыццацца", "'s"):
        list(stems(word, language))


def test_a_text_is_cut_into_words_as_they_are_written() -> None:
    assert WORD.findall("Брэст-Літоўск: з’езд, 2026 г. — «да\u0301та»_x ’ ʼ") == [
        "Брэст", "Літоўск", "з’езд", "2026", "г", "да\u0301та", "x", "ʼ"
    ]  # fmt: skip


def test_threads_do_not_disturb_each_other() -> None:
    """Snowball's stemmers keep the word they work on in themselves."""
    words = [f"{start}{middle}иями" for start in "абвгдежз" for middle in "клмнпрст" * 40]
    alone = [stem.__wrapped__(word, "ru") for word in words]
    different: list[str] = []

    def again() -> None:
        for word, right in zip(words, alone, strict=True):
            if stem.__wrapped__(word, "ru") != right:
                different.append(word)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert different == []
