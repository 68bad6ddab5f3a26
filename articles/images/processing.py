"""From an upload's bytes to a picture's files. Runs as a process of its own; see `imaging`.

As a program it reads the upload on its standard input and is given the widths to make; it writes a
line of JSON and then the files. It imports nothing of ours, so that it starts in a tenth of a
second and holds no secret, and it limits its own memory and time before it looks at a byte.

Nothing of the upload itself is kept, so neither are EXIF, GPS, XMP, a profile, a thumbnail of
what was cut away, or a script behind a picture's name.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import resource
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

READS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
"""Formats by their contents; what the file is called does not matter. No SVG: it is a program."""
MAX_PIXELS = 50_000_000
"""What a good camera makes."""
MAX_SIDE = 20_000
MIN_WIDTH = 320
MAX_HEIGHT = 8_192
"""Of the widest file; WebP itself ends at 16,383."""
MAX_KEPT_PIXELS = 10_000_000
"""Of the widest file: AVIF's encoder takes some 25 bytes for each, and most of the time."""
MAX_DECODED = 420_000_000
"""Bytes that pixels may take while they are decoded, by the header's promise."""
MAX_MEMORY = 700 * 1024 * 1024
"""Bytes of address space, the interpreter's included."""
MAX_SECONDS = 30
"""Of processor time; a picture of 50 million pixels takes three."""
MAX_TEXT = 4 * 1024 * 1024
"""Bytes of a PNG's text chunks, unpacked; none of it is used."""
REDUCING_GAP = 2
"""How much wider than the widest file a picture is when it is last resampled, for sharpness."""
STRIP_PIXELS = 1_000_000
QUALITIES: dict[str, dict[str, Any]] = {
    "avif": {"format": "AVIF", "quality": 55, "speed": 9, "max_threads": 2},
    "webp": {"format": "WEBP", "quality": 78, "method": 2},
    "jpg": {"format": "JPEG", "quality": 82, "optimize": True, "progressive": True},
}
BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""As Pillow holds them; all other modes take four, RGB too."""
COPIES = {"WEBP": 3, "AVIF": 3}
"""Canvases that a decoder holds beside the picture; the others decode line by line."""
ON_WHITE = 4
"""Bytes for each pixel of what has to be made opaque, where it is not reduced as well."""
COEFFICIENT_BYTES = 2
"""A progressive JPEG's, for each component of each pixel: all of them are held, at any scale."""
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation (CIPA DC-008, 4.6.5.1); from 5 on width and height change places."""
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, OverflowError)
"""What Pillow raises for a file that breaks its format."""


@dataclass(frozen=True)
class Prepared:
    """A picture's files by their names, and the measures of the widest."""

    width: int
    height: int
    files: dict[str, bytes] = field(repr=False)


class Refused(Exception):
    """No picture comes of it. `code` says why: one of `imaging.REFUSALS`."""

    def __init__(self, code: str, **numbers: int) -> None:
        super().__init__(code)
        self.code, self.numbers = code, numbers


def process(data: bytes, rungs: Sequence[int]) -> Prepared:
    """All the files of a picture, none wider than the last rung. Raises Refused."""
    try:
        picture = _decoded(data, rungs[-1])
        files = dict(_encoded(picture, rungs))
    except UnidentifiedImageError:
        raise Refused("unknown") from None
    except Image.DecompressionBombError:
        raise Refused("pixels", most=MAX_PIXELS // 1_000_000) from None
    except MemoryError:
        raise Refused("costly") from None
    except DAMAGED:
        raise Refused("damaged") from None
    return Prepared(picture.width, picture.height, files)


def _decoded(data: bytes, widest: int) -> Image.Image:
    """The upload as plain pixels, upright, in sRGB, on white, and at most so wide."""
    with warnings.catch_warnings():
        # The bounds are ours, and they are looked at before anything is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=READS) as opened:
            _check_size(opened.size)
            _scale_while_decoding(opened, widest)
            _check_memory(opened)
            opened.load()
            orientation = opened.getexif().get(ORIENTATION, 1)
            width, height = _turned(opened.size, orientation)
            _check_height(width, height, widest)
            kept = min(width, widest)
            size = _turned((kept, max(1, round(height * kept / width))), orientation)
            flat = _flat(opened, max(1, width // (REDUCING_GAP * widest)))
            profile = opened.info.get("icc_profile")
    # Reduced before anything else, which then costs next to nothing.
    seen = _in_srgb(_resized(flat, size), profile)
    return seen.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else seen


# --- Bounds --------------------------------------------------------------------------


def _check_size(size: tuple[int, int]) -> None:
    """By the header alone, which costs nothing."""
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise Refused("pixels", most=MAX_PIXELS // 1_000_000)
    if width < MIN_WIDTH:
        raise Refused("narrow", least=MIN_WIDTH)


def _check_memory(opened: Image.Image) -> None:
    """What decoding will hold at once, by the header alone."""
    held = BYTES_PER_PIXEL.get(opened.mode, 4) * (1 + COPIES.get(opened.format or "", 0))
    if not _is_plain(opened):
        held += ON_WHITE
    needed = opened.width * opened.height * held
    if opened.info.get("progressive"):
        full = opened.info["full_size"]
        needed += full[0] * full[1] * len(opened.getbands()) * COEFFICIENT_BYTES
    if needed > MAX_DECODED:
        raise Refused("costly")


def _check_height(width: int, height: int, widest: int) -> None:
    kept = min(width, widest)
    tall, most = round(height * kept / width), min(MAX_HEIGHT, MAX_KEPT_PIXELS // kept)
    if tall > most:
        raise Refused("tall", width=kept, height=tall, most=most)


# --- Pixels --------------------------------------------------------------------------


def _scale_while_decoding(opened: Image.Image, widest: int) -> None:
    """A JPEG's decoder leaves out what is not wanted: an eighth of each side is the least."""
    if opened.format not in {"JPEG", "MPO"}:
        return
    opened.info["full_size"] = opened.size
    width, _height = _turned(opened.size, opened.getexif().get(ORIENTATION, 1))
    scale = min(1, REDUCING_GAP * widest / width)
    opened.draft(None, (round(opened.width * scale), round(opened.height * scale)))


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """From a file's measures to the upright picture's, and back."""
    width, height = size
    return (height, width) if orientation in {5, 6, 7, 8} else (width, height)


def _is_plain(picture: Image.Image) -> bool:
    """Whether it can be reduced as it is."""
    return picture.mode in {"RGB", "L", "CMYK"} and "transparency" not in picture.info


def _flat(picture: Image.Image, factor: int) -> Image.Image:
    """Opaque, and reduced by a whole factor: strip by strip, so that no second copy is held."""
    if _is_plain(picture):
        return picture.reduce(factor)
    size = (-(-picture.width // factor), -(-picture.height // factor))
    ground = Image.new("RGB", size)
    rows = factor * max(1, STRIP_PIXELS // (picture.width * factor))
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        strip = _on_white(picture.crop((0, top, picture.width, bottom)))
        ground.paste(strip.reduce(factor), (0, top // factor))
    return ground


def _on_white(strip: Image.Image) -> Image.Image:
    if strip.mode not in {"RGBA", "LA", "PA"} and "transparency" not in strip.info:
        return strip.convert("RGB")
    white = Image.new("RGB", strip.size, "white")
    seen = strip.convert("RGBA")
    white.paste(seen, mask=seen.getchannel("A"))
    return white


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """By its profile, if that can be read."""
    if profile and picture.mode in {"RGB", "CMYK"}:
        with contextlib.suppress(ImageCms.PyCMSError):
            converted = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            picture = converted or picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def _encoded(picture: Image.Image, rungs: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Each width in each format. Pillow hands metadata on from file to file: here is none left."""
    for width in [*(rung for rung in rungs if rung < picture.width), picture.width]:
        height = max(1, round(picture.height * width / picture.width))
        pixels = _resized(picture, (width, height))
        clean = Image.new("RGB", pixels.size)
        clean.paste(pixels)
        for ending, options in QUALITIES.items():
            buffer = io.BytesIO()
            clean.save(buffer, **options)
            yield f"{width}.{ending}", buffer.getvalue()


# --- The process ---------------------------------------------------------------------


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """On this host. A process that is killed lets go."""
    with open(__file__, "rb") as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        yield


def _limit() -> None:
    """For good: a process cannot raise its hard limits again."""
    limits = {
        resource.RLIMIT_AS: MAX_MEMORY,
        resource.RLIMIT_CPU: MAX_SECONDS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, most in limits.items():
        # Some systems do not know all of them; Linux does.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
    PngImagePlugin.MAX_TEXT_MEMORY = MAX_TEXT


def main() -> None:
    """The entry: widths as arguments, the upload on standard input."""
    _limit()
    with _one_at_a_time():
        files: dict[str, bytes] = {}
        try:
            prepared = process(sys.stdin.buffer.read(), [int(word) for word in sys.argv[1:]])
        except Refused as refused:
            said: dict[str, Any] = {"refused": refused.code, "numbers": refused.numbers}
        else:
            files = prepared.files
            sizes = {name: len(content) for name, content in files.items()}
            said = {"width": prepared.width, "height": prepared.height, "sizes": sizes}
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n" + b"".join(files.values()))


if __name__ == "__main__":
    main()
