"""The child process that decodes an upload; `image_decoder` starts it.

Takes the upload on standard input and the widths as arguments; writes a line of JSON, then the
files. It imports nothing of the project, so it starts in 0.1 s and holds no secret, and it limits
its own memory and CPU time before it reads a byte.

Only pixels survive: no EXIF, GPS, XMP, colour profile, thumbnail or appended script.
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

INPUT_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
"""Pillow's names, detected from the contents. No SVG: it can hold scripts."""
MAX_PIXELS = 50_000_000
MAX_SIDE_PIXELS = 20_000
MIN_WIDTH_PIXELS = 320
MAX_HEIGHT_PIXELS = 8_192
"""Of the widest rendition; WebP's limit is 16,383."""
MAX_RENDITION_PIXELS = 10_000_000
"""Of the widest rendition: AVIF's encoder takes some 25 bytes a pixel."""
MAX_DECODED_BYTES = 420_000_000
"""Of pixels in memory, estimated from the header."""
MAX_MEMORY_BYTES = 700 * 1024 * 1024
"""RLIMIT_AS, the interpreter included."""
MAX_CPU_SECONDS = 30
"""RLIMIT_CPU; an image of 50 million pixels takes three."""
MAX_PNG_TEXT_BYTES = 4 * 1024 * 1024
"""Of text chunks, decompressed."""
REDUCING_GAP = 2
"""Before the last resampling an image is at least this many times wider, for sharpness."""
STRIP_PIXELS = 1_000_000
ENCODER_OPTIONS: dict[str, dict[str, Any]] = {
    "avif": {"format": "AVIF", "quality": 55, "speed": 9, "max_threads": 2},
    "webp": {"format": "WEBP", "quality": 78, "method": 2},
    "jpg": {"format": "JPEG", "quality": 82, "optimize": True, "progressive": True},
}
BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""In memory, by Pillow's mode; all others take four, RGB too."""
DECODER_CANVASES = {"WEBP": 3, "AVIF": 3}
"""Full-size buffers that a decoder holds beside the image; the others decode by line."""
FLATTENING_BYTES_PER_PIXEL = 4
"""For removing transparency."""
BYTES_PER_COEFFICIENT = 2
"""Of a progressive JPEG: one for each component of each pixel is held, at any scale."""
EXIF_ORIENTATION = 0x0112
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation (CIPA DC-008, 4.6.5.1); from 5 on width and height are swapped."""
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, OverflowError)
"""What Pillow raises for a file that breaks its format."""


@dataclass(frozen=True)
class ProcessedImage:
    """The renditions by file name, and the size of the widest."""

    width: int
    height: int
    files: dict[str, bytes] = field(repr=False)


class ImageRejected(Exception):
    """`code` is a key of `image_decoder.ERROR_MESSAGES`."""

    def __init__(self, code: str, **numbers: int) -> None:
        super().__init__(code)
        self.code, self.numbers = code, numbers


def process(data: bytes, widths: Sequence[int]) -> ProcessedImage:
    """All renditions of an upload, none wider than the last width. Raises ImageRejected."""
    try:
        picture = _decode(data, widths[-1])
        files = dict(_encode(picture, widths))
    except UnidentifiedImageError:
        raise ImageRejected("unknown") from None
    except Image.DecompressionBombError:
        raise ImageRejected("pixels", most=MAX_PIXELS // 1_000_000) from None
    except MemoryError:
        raise ImageRejected("costly") from None
    except DECODE_ERRORS:
        raise ImageRejected("damaged") from None
    return ProcessedImage(picture.width, picture.height, files)


def _decode(data: bytes, max_width: int) -> Image.Image:
    """The upload as upright sRGB pixels on white, at most `max_width` wide."""
    with warnings.catch_warnings():
        # Stricter limits are checked before anything is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=INPUT_FORMATS) as opened:
            _check_size(opened.size)
            _scale_while_decoding(opened, max_width)
            _check_memory(opened)
            opened.load()
            orientation = opened.getexif().get(EXIF_ORIENTATION, 1)
            width, height = _turned(opened.size, orientation)
            _check_height(width, height, max_width)
            target = min(width, max_width)
            size = _turned((target, max(1, round(height * target / width))), orientation)
            opaque = _reduce_opaque(opened, max(1, width // (REDUCING_GAP * max_width)))
            profile = opened.info.get("icc_profile")
    # Resized first, so that the rest is cheap.
    image = _in_srgb(_resized(opaque, size), profile)
    return image.transpose(TRANSPOSITIONS[orientation]) if orientation in TRANSPOSITIONS else image


# --- Limits --------------------------------------------------------------------------


def _check_size(size: tuple[int, int]) -> None:
    """From the header alone."""
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE_PIXELS:
        raise ImageRejected("pixels", most=MAX_PIXELS // 1_000_000)
    if width < MIN_WIDTH_PIXELS:
        raise ImageRejected("narrow", least=MIN_WIDTH_PIXELS)


def _check_memory(opened: Image.Image) -> None:
    """What decoding will take, estimated from the header."""
    per_pixel = BYTES_PER_PIXEL.get(opened.mode, 4) * (
        1 + DECODER_CANVASES.get(opened.format or "", 0)
    )
    if not _is_plain(opened):
        per_pixel += FLATTENING_BYTES_PER_PIXEL
    needed = opened.width * opened.height * per_pixel
    if opened.info.get("progressive"):
        full = opened.info["full_size"]
        needed += full[0] * full[1] * len(opened.getbands()) * BYTES_PER_COEFFICIENT
    if needed > MAX_DECODED_BYTES:
        raise ImageRejected("costly")


def _check_height(width: int, height: int, max_width: int) -> None:
    target = min(width, max_width)
    resized = round(height * target / width)
    limit = min(MAX_HEIGHT_PIXELS, MAX_RENDITION_PIXELS // target)
    if resized > limit:
        raise ImageRejected("tall", width=target, height=resized, most=limit)


# --- Pixels --------------------------------------------------------------------------


def _scale_while_decoding(opened: Image.Image, max_width: int) -> None:
    """A JPEG decoder can scale down, to an eighth of each side at most."""
    if opened.format not in {"JPEG", "MPO"}:
        return
    opened.info["full_size"] = opened.size
    width, _height = _turned(opened.size, opened.getexif().get(EXIF_ORIENTATION, 1))
    scale = min(1, REDUCING_GAP * max_width / width)
    opened.draft(None, (round(opened.width * scale), round(opened.height * scale)))


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """From the file's size to the upright image's, and back."""
    width, height = size
    return (height, width) if orientation in {5, 6, 7, 8} else (width, height)


def _is_plain(picture: Image.Image) -> bool:
    """Whether it is opaque and can be reduced in its own mode."""
    return picture.mode in {"RGB", "L", "CMYK"} and "transparency" not in picture.info


def _reduce_opaque(picture: Image.Image, factor: int) -> Image.Image:
    """Opaque, and reduced by an integer factor: strip by strip, to hold no second copy."""
    if _is_plain(picture):
        return picture.reduce(factor)
    size = (-(-picture.width // factor), -(-picture.height // factor))
    canvas = Image.new("RGB", size)
    rows = factor * max(1, STRIP_PIXELS // (picture.width * factor))
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        strip = _on_white(picture.crop((0, top, picture.width, bottom)))
        canvas.paste(strip.reduce(factor), (0, top // factor))
    return canvas


def _on_white(strip: Image.Image) -> Image.Image:
    if strip.mode not in {"RGBA", "LA", "PA"} and "transparency" not in strip.info:
        return strip.convert("RGB")
    white = Image.new("RGB", strip.size, "white")
    layer = strip.convert("RGBA")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """By its ICC profile, if that can be read."""
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


def _encode(picture: Image.Image, widths: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """Each width in each format, without the metadata that Pillow would copy."""
    for width in [*(one for one in widths if one < picture.width), picture.width]:
        height = max(1, round(picture.height * width / picture.width))
        pixels = _resized(picture, (width, height))
        clean = Image.new("RGB", pixels.size)
        clean.paste(pixels)
        for extension, options in ENCODER_OPTIONS.items():
            buffer = io.BytesIO()
            clean.save(buffer, **options)
            yield f"{width}.{extension}", buffer.getvalue()


# --- The process ---------------------------------------------------------------------


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Per host. The kernel releases the lock of a killed process."""
    with open(__file__, "rb") as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        yield


def _set_resource_limits() -> None:
    """Hard limits: the process cannot raise them again."""
    limits = {
        resource.RLIMIT_AS: MAX_MEMORY_BYTES,
        resource.RLIMIT_CPU: MAX_CPU_SECONDS,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, limit in limits.items():
        # macOS does not support all of them.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))
    PngImagePlugin.MAX_TEXT_MEMORY = MAX_PNG_TEXT_BYTES


def main() -> None:
    """Widths as arguments, the upload on standard input."""
    _set_resource_limits()
    with _one_at_a_time():
        files: dict[str, bytes] = {}
        try:
            processed = process(sys.stdin.buffer.read(), [int(word) for word in sys.argv[1:]])
        except ImageRejected as rejected:
            answer: dict[str, Any] = {"rejected": rejected.code, "numbers": rejected.numbers}
        else:
            files = processed.files
            sizes = {name: len(content) for name, content in files.items()}
            answer = {"width": processed.width, "height": processed.height, "sizes": sizes}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + b"".join(files.values()))


if __name__ == "__main__":
    main()
