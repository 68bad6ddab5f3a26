"""The file names of a picture's renditions, and its responsive markup.

The URL of the widest JPEG holds the key, and its width says which narrower renditions exist. So a
picture in a body is shown without a query. Widths and formats never change: stored files and
bodies rely on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

RENDITION_WIDTHS = (320, 640, 960, 1280, 1920)
"""Pixels; the last one is the maximum."""
FORMATS = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg"}
"""MIME types by file extension, in order of preference."""
MEDIA_FOLDER = "pictures"
MEDIA_PATH = f"/media/{MEDIA_FOLDER}/"
"""As in the bodies of articles; a test compares it with MEDIA_URL."""
KEY_PATTERN = "[0-9a-f]{24}"
WIDTH_PATTERN = "[1-9][0-9]{0,3}"
URL_PATTERN = re.compile(
    rf"{re.escape(MEDIA_PATH)}(?P<key>{KEY_PATTERN})/(?P<width>{WIDTH_PATTERN})\.jpg"
)
FILE_PATTERN = re.compile(rf"{MEDIA_FOLDER}/{KEY_PATTERN}/{WIDTH_PATTERN}\.(?:{'|'.join(FORMATS)})")
"""A path below MEDIA_ROOT."""
SIZES = "(min-width: 44.5rem) 42rem, calc(100vw - 2.5rem)"
"""The `sizes` attribute: the width of an article's column in static/site.css."""
# The sanitiser writes every value in double quotes, with no such quote within.
IMG_TAG = re.compile(r'<img(?P<attributes>(?: [a-z]+="[^"]*")*)>')
ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')


def widths(widest: int) -> list[int]:
    """The widths of a picture's renditions, none larger than itself."""
    return [width for width in RENDITION_WIDTHS if width < widest] + [widest]


def path(key: str, width: int, extension: str = "jpg") -> str:
    """The URL path of one rendition."""
    return f"{MEDIA_PATH}{key}/{width}.{extension}"


@dataclass(frozen=True)
class ResponsiveImage:
    """A picture on a page. The size is the widest rendition's; `alt` is plain text."""

    key: str
    width: int
    height: int
    alt: str = ""
    focus: str = ""
    """CSS classes of the focal point, for where the picture is cropped."""
    lazy: bool = True

    def markup(self) -> SafeString:
        """`<picture>` with all formats and widths."""
        *others, (last, _type) = FORMATS.items()
        sources = [
            format_html(
                '<source type="{}" srcset="{}" sizes="{}">', mime_type, self._srcset(ext), SIZES
            )
            for ext, mime_type in others
        ]
        return format_html(
            '<picture>{}<img src="{}" srcset="{}" sizes="{}" alt="{}"{}{}{}></picture>',
            mark_safe("".join(sources)),  # noqa: S308
            path(self.key, self.width),
            self._srcset(last),
            SIZES,
            self.alt,
            self._size(),
            format_html(' class="{}"', self.focus) if self.focus else "",
            mark_safe(' loading="lazy" decoding="async"') if self.lazy else "",
        )

    def _srcset(self, extension: str) -> str:
        return ", ".join(
            f"{path(self.key, width, extension)} {width}w" for width in widths(self.width)
        )

    def _size(self) -> str:
        """Reserves the space, against layout shift."""
        if not self.height:
            return ""
        return format_html(' width="{}" height="{}"', self.width, self.height)


def with_all_renditions(body: str) -> str:
    """A sanitised body with each `<img>` as a responsive `<picture>`."""
    return IMG_TAG.sub(_responsive, body)


def _responsive(match: re.Match[str]) -> str:
    given = {name: unescape(value) for name, value in ATTRIBUTE.findall(match["attributes"])}
    url = URL_PATTERN.fullmatch(given.get("src", ""))
    if url is None:
        return match[0]
    width, height = int(url["width"]), given.get("height", "")
    is_sized = given.get("width") == url["width"] and height.isdigit()
    return ResponsiveImage(
        url["key"], width, int(height) if is_sized else 0, given.get("alt", "")
    ).markup()
