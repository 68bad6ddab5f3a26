"""From an upload's bytes to a picture's files: decoded within bounds, re-encoded without metadata.

Nothing of the upload itself is kept, so neither are EXIF, GPS, XMP, a profile, a thumbnail of
what was cut away, or a script behind a picture's name.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from newsroom import renditions

MOST_BYTES = 20 * 1024 * 1024
MOST_PIXELS = 50_000_000
"""What a good camera makes; decoded it takes 150 MB for the moment."""
LONGEST_SIDE = 20_000
LEAST_WIDTH = 320
READS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF")
"""Formats by their contents; what the file is called does not matter. No SVG: it is a program."""
QUALITIES: dict[str, dict[str, Any]] = {
    "avif": {"format": "AVIF", "quality": 55, "speed": 9},
    "webp": {"format": "WEBP", "quality": 78, "method": 2},
    "jpg": {"format": "JPEG", "quality": 82, "optimize": True, "progressive": True},
}


class BadPicture(Exception):
    """The upload is no picture that can be shown; says what to do."""


@dataclass(frozen=True)
class Prepared:
    """A picture's files by their names, and the measures of the widest."""

    width: int
    height: int
    files: dict[str, bytes]


def prepare(data: bytes) -> Prepared:
    """All the files of a picture. Raises BadPicture."""
    if len(data) > MOST_BYTES:
        raise BadPicture(too_heavy())
    picture = _decoded(data)
    if picture.width > renditions.RUNGS[-1]:
        picture = _reduced(picture, renditions.RUNGS[-1])
    files = {}
    for width in renditions.widths(picture.width):
        smaller = _reduced(picture, width)
        for ending, options in QUALITIES.items():
            buffer = io.BytesIO()
            smaller.save(buffer, **options)
            files[f"{width}.{ending}"] = buffer.getvalue()
    return Prepared(picture.width, picture.height, files)


def too_heavy() -> str:
    """What to say to an upload of more than MOST_BYTES, which need not be read for that."""
    return _("The picture is larger than %(most)s MB. Make it smaller.") % {
        "most": MOST_BYTES // 1024 // 1024
    }


def _decoded(data: bytes) -> Image.Image:
    """The upload as plain pixels, turned upright, in sRGB, on white. Raises BadPicture."""
    with warnings.catch_warnings():
        # The bounds are ours, and they are looked at before anything is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=READS) as opened:
                _check_size(opened.size)
                opened.load()
                upright = ImageOps.exif_transpose(opened) or opened
                return _flat(_in_srgb(upright))
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise BadPicture(_explained(error)) from None
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError, OverflowError):
            raise BadPicture(
                _("The picture is damaged or cut short. Export it anew and upload that.")
            ) from None


def _explained(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return _("This is no JPEG, PNG, WebP, AVIF or GIF. Export the picture as one of these.")
    return _too_large()


def _too_large() -> str:
    return _("The picture has more than %(most)s million pixels. Make it smaller.") % {
        "most": MOST_PIXELS // 1_000_000
    }


def _check_size(size: tuple[int, int]) -> None:
    """By the header alone, which costs nothing."""
    width, height = size
    if width * height > MOST_PIXELS or max(size) > LONGEST_SIDE:
        raise BadPicture(_too_large())
    if width < LEAST_WIDTH:
        raise BadPicture(
            _("The picture is narrower than %(least)s pixels. Use a larger one.")
            % {"least": LEAST_WIDTH}
        )


def _in_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in {"RGB", "RGBA", "CMYK"}:
        return picture
    try:
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except ImageCms.PyCMSError:
        return picture
    return converted or picture


def _flat(picture: Image.Image) -> Image.Image:
    """New pixels with nothing attached: Pillow would hand metadata on from file to file."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        ground = Image.new("RGB", picture.size, "white")
        seen = picture.convert("RGBA")
        ground.paste(seen, mask=seen.getchannel("A"))
        return ground
    flat = picture.convert("RGB")
    clean = Image.new("RGB", flat.size)
    clean.paste(flat)
    return clean


def _reduced(picture: Image.Image, width: int) -> Image.Image:
    if width == picture.width:
        return picture
    height = max(1, round(picture.height * width / picture.width))
    return picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
