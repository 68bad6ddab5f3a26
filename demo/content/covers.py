"""Generated covers for the demo: layered paper cuts.

Without copyright and without downloads. Deterministic by topic and number.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageColor, ImageDraw, ImageFilter

WIDTH, HEIGHT = 1200, 675
SUPERSAMPLING = 3
"""Supersampling factor, for smooth edges."""
BLUR_REDUCTION = 6
"""Shadows are blurred at this reduction, which is faster."""
BLUR_RADIUS, SHADOW_OFFSET = 22, 7
"""Of shadows, in pixels."""
JPEG_QUALITY = 82

Colour = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Palette:
    """Tones from light to dark, and an accent."""

    tones: tuple[str, ...]
    accent: str

    def tone(self, place: float) -> Colour:
        """The tone at a place from 0, the lightest, to 1, the darkest."""
        at = min(max(place, 0.0), 1.0) * (len(self.tones) - 1)
        lower = min(int(at), len(self.tones) - 2)
        return mix(colour(self.tones[lower]), colour(self.tones[lower + 1]), at - lower)


class Sheets:
    """The picture as it grows, from the back to the front."""

    def __init__(self, palette: Palette, ground: float) -> None:
        self.palette = palette
        self._fall = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
        self.picture = self._shaded(palette.tone(ground))

    def lay(self, cut: Cut, paper: Colour | Paint, shadow: float = 0.34) -> None:
        """Lays a sheet of this form; its shadow falls on those below."""
        form = cut.form()
        if shadow:
            below = mix(self.palette.tone(1), (0, 0, 0), 0.45)
            depth = fallen(form).point(lambda value: value * shadow)
            self.picture.paste(Image.new("RGB", (WIDTH, HEIGHT), below), (0, 0), depth)
        sheet = paper.image() if isinstance(paper, Paint) else self._shaded(paper)
        self.picture.paste(sheet, (0, 0), form)

    def _shaded(self, paper: Colour) -> Image.Image:
        """A sheet that is a little lighter at its top, as if light fell from there."""
        top = Image.new("RGB", (WIDTH, HEIGHT), mix(paper, (255, 255, 255), 0.07))
        foot = Image.new("RGB", (WIDTH, HEIGHT), mix(paper, (0, 0, 0), 0.07))
        return Image.composite(foot, top, self._fall)


class Cut:
    """The form of one sheet, in the picture's own measures."""

    def __init__(self, whole: bool = False) -> None:
        size = (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
        self._image = Image.new("L", size, 255 if whole else 0)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], fill: int = 255) -> Cut:
        self._draw.polygon([(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points], fill=fill)
        return self

    def disc(self, centre: Point, radius: float, fill: int = 255) -> Cut:
        x, y = centre[0] * SUPERSAMPLING, centre[1] * SUPERSAMPLING
        self._draw.circle((x, y), radius * SUPERSAMPLING, fill=fill)
        return self

    def form(self) -> Image.Image:
        return self._image.reduce(SUPERSAMPLING)


class Paint:
    """What is painted on a sheet of more than one colour."""

    def __init__(self) -> None:
        self._image = Image.new("RGB", (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING))
        self._draw = ImageDraw.Draw(self._image)

    def disc(self, centre: Point, radius: float, fill: Colour) -> None:
        x, y = centre[0] * SUPERSAMPLING, centre[1] * SUPERSAMPLING
        self._draw.circle((x, y), radius * SUPERSAMPLING, fill=fill)

    def image(self) -> Image.Image:
        return self._image.reduce(SUPERSAMPLING)


def fallen(form: Image.Image) -> Image.Image:
    """A form's soft shadow, a little below it."""
    small = form.resize((WIDTH // BLUR_REDUCTION, HEIGHT // BLUR_REDUCTION), Image.Resampling.BOX)
    small = small.filter(ImageFilter.GaussianBlur(BLUR_RADIUS / BLUR_REDUCTION))
    soft = small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    # Its first line goes on upwards, or the picture would have a lighter hem.
    hem = soft.crop((0, 0, WIDTH, 1)).resize((WIDTH, SHADOW_OFFSET))
    shadow = Image.new("L", (WIDTH, HEIGHT))
    shadow.paste(soft, (0, SHADOW_OFFSET))
    shadow.paste(hem, (0, 0))
    return shadow


def colour(name: str) -> Colour:
    """Red, green and blue of "#rrggbb"."""
    red, green, blue = ImageColor.getrgb(name)[:3]
    return red, green, blue


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """The colour that is this share of the way to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


# --- Compositions ------------------------------------------------------------------------


def arches(sheets: Sheets, chance: random.Random) -> None:
    """Doorways behind doorways, with a light at the end."""
    palette, count = sheets.palette, chance.randint(5, 6)
    middle = WIDTH * chance.uniform(0.3, 0.7)
    drift = chance.uniform(-38, 38)
    narrowest, step = chance.uniform(105, 140), chance.uniform(88, 112)
    top = chance.uniform(290, 345)
    light = (middle + chance.uniform(-30, 30), HEIGHT - chance.uniform(40, 120))
    sheets.lay(
        Cut().disc(light, narrowest * chance.uniform(0.5, 0.62)), colour(palette.accent), 0.2
    )
    for number in range(count):
        half = narrowest + step * number
        centre = middle + drift * number
        crown = top - (step * 0.62) * number + half
        hole: list[Point] = [(centre + half, HEIGHT + 9), (centre - half, HEIGHT + 9)]
        hole += arc((centre, crown), half, math.pi, 2 * math.pi)
        sheets.lay(
            Cut(whole=True).polygon(hole, fill=0), palette.tone(0.12 + 0.88 * (number + 1) / count)
        )


def scales(sheets: Sheets, chance: random.Random) -> None:
    """Rows of discs like a crowd or a roof of shingles, no two quite the same."""
    palette = sheets.palette
    radius = chance.uniform(104, 138)
    rows = math.ceil(HEIGHT / (radius * 0.62)) + 2
    lean, start = chance.uniform(-0.35, 0.35), chance.uniform(0, radius)
    for row in range(rows):
        form, paint = Cut(), Paint()
        for column in range(-2, math.ceil(WIDTH / radius / 2) + 2):
            x = column * radius * 2 + start + (radius if row % 2 else 0)
            centre = (x, radius * (0.62 * row + 0.1))
            place = row / rows + lean * (x / WIDTH - 0.5) + chance.uniform(-0.16, 0.16)
            paper = palette.tone(place)
            if chance.random() < 0.045:
                paper = colour(palette.accent)
            form.disc(centre, radius)
            paint.disc(centre, radius + 1, paper)
            paint.disc(centre, radius * 0.66, mix(paper, palette.tone(1), 0.13))
            paint.disc(centre, radius * 0.33, mix(paper, palette.tone(0), 0.16))
        sheets.lay(form, paint)


def planes(sheets: Sheets, chance: random.Random) -> None:
    """Straight edges that cross, as of folded paper."""
    palette, count = sheets.palette, 7
    turn = chance.choice([-1, 1])
    sun = (WIDTH * (0.5 + turn * chance.uniform(-0.1, 0.12)), HEIGHT * chance.uniform(0.2, 0.28))
    sheets.lay(Cut().disc(sun, chance.uniform(70, 100)), colour(palette.accent), 0.22)
    for number in range(count):
        slope = turn * chance.uniform(0.2, 0.62) * (1 - 0.055 * number)
        level = HEIGHT * (0.42 + 0.105 * number)
        # The edge turns about a point off the middle, so that no two meet in one line.
        hinge = WIDTH * (0.5 + turn * chance.uniform(0.02, 0.3))
        left, right = level - slope * hinge, level + slope * (WIDTH - hinge)
        form = [(0, left), (WIDTH, right), (WIDTH, 2 * HEIGHT), (0, 2 * HEIGHT)]
        sheets.lay(Cut().polygon(form), palette.tone(0.14 + 0.86 * (number + 1) / count))
        turn = -turn


def hills(sheets: Sheets, chance: random.Random) -> None:
    """Long slopes under a low sun."""
    palette, count = sheets.palette, 6
    sun = (WIDTH * chance.uniform(0.18, 0.82), HEIGHT * chance.uniform(0.26, 0.36))
    radius = chance.uniform(74, 104)
    halo = mix(palette.tone(0), colour(palette.accent), 0.28)
    sheets.lay(Cut().disc(sun, radius * 1.75), halo, 0)
    sheets.lay(Cut().disc(sun, radius), colour(palette.accent), 0.12)
    for number in range(count):
        level = HEIGHT * (0.43 + 0.105 * number)
        height = chance.uniform(34, 62)
        waves = [
            (height / order, chance.uniform(0.55, 1.1) * order, chance.uniform(0, math.tau))
            for order in (1, 2)
        ]
        ridge = [
            (x, level + sum(h * math.sin(n * math.tau * x / WIDTH + s) for h, n, s in waves))
            for x in range(-10, WIDTH + 11, 5)
        ]
        form = [*ridge, (WIDTH + 10, HEIGHT + 10), (-10, HEIGHT + 10)]
        sheets.lay(Cut().polygon(form), palette.tone(0.14 + 0.86 * (number + 1) / count))


def contours(sheets: Sheets, chance: random.Random) -> None:
    """Hollows one within another, as on a map of a lake's depths."""
    palette, count = sheets.palette, 7
    centre = (WIDTH * chance.uniform(0.32, 0.68), HEIGHT * chance.uniform(0.42, 0.58))
    drift = (chance.uniform(-34, 34), chance.uniform(-12, 12))
    waves = [
        (chance.uniform(0.05, 0.13) / k, k + 1, chance.uniform(0, math.tau)) for k in (1, 2, 3)
    ]
    island = (centre[0] + chance.uniform(-18, 18), centre[1] + chance.uniform(-12, 12))
    sheets.lay(Cut().disc(island, chance.uniform(34, 48)), colour(palette.accent), 0.3)
    for number in range(count):
        size = 84 + 76 * number
        middle = (centre[0] + drift[0] * number, centre[1] + drift[1] * number)
        twist = 0.12 * number
        hole = []
        for step in range(240):
            turn = math.tau * step / 240
            wobble = 1 + sum(h * math.sin(n * turn + s + twist) for h, n, s in waves)
            hole.append(
                (
                    middle[0] + 1.28 * size * wobble * math.cos(turn),
                    middle[1] + 0.86 * size * wobble * math.sin(turn),
                )
            )
        sheets.lay(
            Cut(whole=True).polygon(hole, fill=0), palette.tone(1 - 0.96 * (number + 1) / count)
        )


def arc(centre: Point, radius: float, start: float, end: float) -> list[Point]:
    """Points along a part of a circle."""
    return [
        (centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn))
        for turn in (start + (end - start) * step / 90 for step in range(91))
    ]


# --- Topics ------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoverStyle:
    """How a topic's covers are drawn."""

    palette: Palette
    compose: Callable[[Sheets, random.Random], None]
    ground: float
    """The tone of the sheet at the very back."""


COVER_STYLES = {
    "elite": CoverStyle(
        Palette(("#f3e9d9", "#dfc9a8", "#c39e76", "#93664f", "#5b3d47", "#33263a"), "#f0bf6c"),
        arches,
        0.0,
    ),
    "society": CoverStyle(
        Palette(("#eef0e6", "#cddbce", "#9dbfb2", "#67988f", "#3d6d74", "#244757"), "#e2a46c"),
        scales,
        0.0,
    ),
    "security": CoverStyle(
        Palette(("#e9e9ea", "#c6cbd2", "#97a2af", "#687687", "#434f62", "#293040"), "#cf7650"),
        planes,
        0.0,
    ),
    "west": CoverStyle(
        Palette(("#f8eee2", "#efd5c0", "#d8a894", "#a5859a", "#68688f", "#383f66"), "#f3b871"),
        hills,
        0.0,
    ),
    "russia": CoverStyle(
        Palette(("#eff0e4", "#d5d9c0", "#aab694", "#788a70", "#4b6056", "#283c3f"), "#d9975c"),
        contours,
        1.0,
    ),
}


def draw_cover(topic: str, number: int) -> bytes:
    """A topic's cover with this number, as a JPEG. An unknown topic borrows another's style."""
    # Text seeds the generator alike on every machine and version.
    chance = random.Random(f"{topic} {number}")  # noqa: S311
    look = COVER_STYLES.get(topic) or COVER_STYLES[chance.choice(sorted(COVER_STYLES))]
    sheets = Sheets(look.palette, look.ground)
    look.compose(sheets, chance)
    file = io.BytesIO()
    sheets.picture.save(file, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    return file.getvalue()
