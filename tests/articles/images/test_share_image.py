"""The picture beside a shared link."""

from __future__ import annotations

import io

import pytest
from django.conf import settings
from PIL import Image, ImageChops, ImageFont

from articles.images import share_image
from articles.images.share_image import HEIGHT, MARGIN, WIDTH, ShareImageText, render_share_image

TITLE = "Ўлада шукае «ворагаў» сярод уласных чыноўнікаў: аб’яднанне дзвюх службаў адкладзенае"
LETTERS = {
    "en": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "be": "АБВГДЕЁЖЗІЙКЛМНОПРСТУЎФХЦЧШЫЬЭЮЯабвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "ru": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя",
}
SIGNS = "0123456789.,:;!?…—–-«»„“”‘’'\"()[]/%№€$+&"


def opened(words: ShareImageText) -> Image.Image:
    return Image.open(io.BytesIO(render_share_image(words))).convert("RGB")


def marked(words: ShareImageText) -> tuple[int, int, int, int]:
    """Where anything but paper is, below the bar."""
    picture = opened(words).crop((0, 20, WIDTH, HEIGHT))
    paper = Image.new("RGB", picture.size, share_image.PAPER)
    box = ImageChops.difference(picture, paper).getbbox()
    assert box is not None
    return box


def test_the_same_words_give_the_same_bytes() -> None:
    words = ShareImageText(TITLE, "Тэма", "16–22 лістапада 2026 г.", "worsened", "Пагоршылася")
    first = render_share_image(words)
    render_share_image.cache_clear()
    assert render_share_image(words) == first
    assert opened(words).size == (WIDTH, HEIGHT)


def test_every_word_is_seen_in_picture_and_version() -> None:
    words = {"title": "T", "topic": "A", "week": "B", "verdict": "worsened", "verdict_label": "C"}
    others = [
        ShareImageText(**{**words, name: "improved" if name == "verdict" else "D"})
        for name in words
    ]
    every = [ShareImageText(**words), ShareImageText(**words, name="E"), *others]
    assert (
        len({render_share_image(one) for one in every})
        == len({one.version for one in every})
        == len(every)
    )


def test_no_two_words_run_into_one_version() -> None:
    assert ShareImageText("a", "b").version != ShareImageText("ab").version


@pytest.mark.parametrize("file", [share_image.SERIF, share_image.PLAIN])
@pytest.mark.parametrize("code", [code for code, _name in settings.LANGUAGES])
def test_the_fonts_have_every_letter_of_every_language(file: str, code: str) -> None:
    font = ImageFont.truetype(share_image.FONTS / file, 40)
    missing = bytes(font.getmask("\uffff"))
    unknown = [one for one in LETTERS[code] + SIGNS if bytes(font.getmask(one)) == missing]
    assert unknown == []


@pytest.mark.parametrize(
    "title",
    [
        "Ы",
        TITLE,
        "Слова " * 33,
        "Ш" * 200,
        "Ш" * 60 + " і яшчэ",
        "ЎЁЙ ÄÖ " * 28,
        "",
        "   ",
        "a\tb\nc\x0b",
        "𝔘 🙂",
    ],
)
def test_no_title_leaves_its_place(title: str) -> None:
    left, _top, right, _bottom = marked(ShareImageText(title, "Тэма", "16–22 лістапада 2026 г."))
    assert left >= MARGIN - 6
    assert right <= WIDTH - MARGIN + 6
    with_title = opened(ShareImageText(title))
    for band in ((0, 15, WIDTH, 126), (0, 512, WIDTH, 530)):
        assert with_title.crop(band).getcolors() == [
            (with_title.crop(band).width * with_title.crop(band).height, (251, 250, 247))
        ]


def test_a_long_topic_makes_room_for_the_name() -> None:
    left, _top, right, _bottom = marked(ShareImageText("T", "Тэма " * 40, name="Назва " * 4))
    assert left >= MARGIN - 6
    assert right <= WIDTH - MARGIN + 6


def test_a_verdict_has_a_shape_and_not_only_a_colour() -> None:
    boxes = set()
    for verdict in share_image.VERDICT_COLOURS:
        picture = opened(ShareImageText("T", verdict=verdict)).crop((MARGIN, 556, MARGIN + 30, 584))
        boxes.add(picture.convert("L").point(lambda level: 255 * (level < 200)).tobytes())
    assert len(boxes) == len(share_image.VERDICT_COLOURS) == 3
