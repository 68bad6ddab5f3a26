"""The Open Graph image of an article (og:image), drawn with Pillow.

It names the newsroom only with SITE_NAME_IN_PREVIEWS: sharing its name or logo is prosecuted where
its visitors are. The same text always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from bisect import bisect
from dataclasses import astuple, dataclass
from functools import cache, lru_cache, partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

WIDTH, HEIGHT = 1200, 630
"""Pixels; what the platforms recommend."""
FONTS = Path(__file__).parent / "fonts"
SERIF, PLAIN = "NotoSerif-Bold.ttf", "NotoSans-Regular.ttf"
STYLE_VERSION = 1
"""Increase it when the drawing changes: the images' URLs change with it."""
CACHE_SIZE = 64
"""Images per process, of some 70 KB each."""

# As in static/site.css.
PAPER, INK, SOFT, RULE, ACCENT = "#fbfaf7", "#1c1b19", "#5c5850", "#d8d3c9", "#8a2b1c"
VERDICT_COLOURS = {"improved": "#2a6640", "unchanged": SOFT, "worsened": "#a03020"}
MARGIN = 72
TITLE_FONT_SIZES = range(96, 39, -4)
"""In pixels, largest first; the first that fits is used."""
SMALL_FONT_SIZE = 32
TITLE_TOP, TITLE_BOTTOM = 146, 496
LINE_HEIGHT = 1.2
ELLIPSIS = "…"


@dataclass(frozen=True)
class ShareImageText:
    """`verdict` is a key of VERDICT_COLOURS, or empty."""

    title: str
    topic: str = ""
    week: str = ""
    verdict: str = ""
    verdict_label: str = ""
    name: str = ""
    """The newsroom's; empty unless SITE_NAME_IN_PREVIEWS."""

    @property
    def version(self) -> str:
        """A hash of text and style, for the URL: caches fetch a changed image anew."""
        text = "\0".join([str(STYLE_VERSION), *astuple(self)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=CACHE_SIZE)
def render_share_image(words: ShareImageText) -> bytes:
    """A PNG of WIDTH × HEIGHT; some 100 ms the first time."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((0, 0, WIDTH, 14), fill=ACCENT)
    small = _font(PLAIN, SMALL_FONT_SIZE)
    name_at = WIDTH - MARGIN - canvas.textlength(words.name, small)
    if words.name:
        canvas.text((name_at, 104), words.name, SOFT, small, anchor="ls")
    topic = _truncated(words.topic, small, name_at - MARGIN - SMALL_FONT_SIZE)
    canvas.text((MARGIN, 104), topic, ACCENT, small, anchor="ls")
    _draw_title(canvas, words.title)
    canvas.line((MARGIN, 532, WIDTH - MARGIN, 532), fill=RULE, width=2)
    _draw_footer(canvas, words, small)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


@cache
def _font(file: str, size: int) -> FreeTypeFont:
    return ImageFont.truetype(FONTS / file, size)


def _draw_title(canvas: ImageDraw.ImageDraw, title: str) -> None:
    size, lines = _fitted(title)
    font, step = _font(SERIF, size), round(size * LINE_HEIGHT)
    height = TITLE_BOTTOM - TITLE_TOP
    baseline = TITLE_TOP + (height - step * len(lines)) // 2 + size
    for line in lines:
        canvas.text((MARGIN, baseline), line, INK, font, anchor="ls")
        baseline += step


def _fitted(title: str) -> tuple[int, list[str]]:
    """The largest font size that fits, and the lines; at the smallest, the rest is cut."""
    for size in TITLE_FONT_SIZES:
        font, most = _font(SERIF, size), (TITLE_BOTTOM - TITLE_TOP) // round(size * LINE_HEIGHT)
        lines = _wrapped(title, font, WIDTH - 2 * MARGIN)
        if len(lines) <= most:
            return size, _balanced(title, lines, font)
    rest = " ".join(lines[most - 1 :])
    return size, [*lines[: most - 1], _truncated(rest, font, WIDTH - 2 * MARGIN)]


def _wrapped(text: str, font: FreeTypeFont, width: float) -> list[str]:
    """Breaks between words; within a word only where it is longer than a line."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while font.getlength(word) > width:
            length_of = partial(_length_of_first, word, font)
            # At least one letter, or the loop would not end.
            fits = max(1, bisect(range(1, len(word)), width, key=length_of))
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def _balanced(text: str, lines: list[str], font: FreeTypeFont) -> list[str]:
    """The same number of lines, of similar length."""
    narrow, wide = 0, WIDTH - 2 * MARGIN
    widest = max((font.getlength(word) for word in text.split()), default=0)
    while wide - narrow > 8:
        middle = (narrow + wide) // 2
        fits = widest <= middle and len(_wrapped(text, font, middle)) == len(lines)
        narrow, wide = (narrow, middle) if fits else (middle, wide)
    return _wrapped(text, font, wide)


def _length_of_first(word: str, font: FreeTypeFont, letters: int) -> float:
    return font.getlength(word[:letters])


def _truncated(text: str, font: FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + ELLIPSIS) > width:
        text = text[:-1].rstrip()
    return text + ELLIPSIS


def _draw_footer(canvas: ImageDraw.ImageDraw, words: ShareImageText, small: FreeTypeFont) -> None:
    """The verdict with its shape on the left, the week on the right."""
    baseline = 582
    if words.verdict:
        colour = VERDICT_COLOURS[words.verdict]
        _draw_shape(canvas, words.verdict, (MARGIN, baseline - 23), colour)
        canvas.text((MARGIN + 38, baseline), words.verdict_label, colour, small, anchor="ls")
    canvas.text((WIDTH - MARGIN, baseline), words.week, SOFT, small, anchor="rs")


def _draw_shape(
    canvas: ImageDraw.ImageDraw, verdict: str, corner: tuple[int, int], colour: str
) -> None:
    """As templates/articles/verdict.html draws it, 24 pixels wide."""
    x, y = corner
    shapes = {
        "improved": [(12, 0), (24, 22), (0, 22)],
        "worsened": [(12, 22), (0, 0), (24, 0)],
        "unchanged": [(0, 7), (24, 7), (24, 16), (0, 16)],
    }
    canvas.polygon([(x + right, y + down) for right, down in shapes[verdict]], fill=colour)
