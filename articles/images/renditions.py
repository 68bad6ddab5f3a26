"""A picture's files: what they are called, and how a page names them.

The address of a picture's widest JPEG says all: its key, and by the rungs below its width the
other widths. So a picture in a body needs no row to be shown. The rungs and the formats never
change, since the files and the bodies of all years count on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

RUNGS = (320, 640, 960, 1280, 1920)
"""Widths in pixels; the last one is the widest that is kept."""
FORMATS = {"avif": "image/avif", "webp": "image/webp", "jpg": "image/jpeg"}
"""By the ends of their names, what a browser is to try first first."""
FOLDER = "pictures"
PATH = f"/media/{FOLDER}/"
"""As in the bodies of articles; a test compares it with MEDIA_URL."""
KEY = "[0-9a-f]{24}"
ADDRESS = re.compile(rf"{re.escape(PATH)}(?P<key>{KEY})/(?P<width>[1-9][0-9]{{0,3}})\.jpg")
FILE = re.compile(rf"{FOLDER}/{KEY}/[1-9][0-9]{{0,3}}\.(?:{'|'.join(FORMATS)})")
"""A file's name below MEDIA_ROOT."""
IN_COLUMN = "(min-width: 44.5rem) 42rem, calc(100vw - 2.5rem)"
"""How wide the column of an article is, for `sizes`; static/site.css says the same."""
# The sanitiser writes every value in double quotes, with no such quote within.
IMAGE = re.compile(r'<img(?P<attributes>(?: [a-z]+="[^"]*")*)>')
ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')


def widths(widest: int) -> list[int]:
    """The widths that there are of a picture, none larger than itself."""
    return [rung for rung in RUNGS if rung < widest] + [widest]


def path(key: str, width: int, ending: str = "jpg") -> str:
    """Where a page finds one file."""
    return f"{PATH}{key}/{width}.{ending}"


@dataclass(frozen=True)
class Shown:
    """A picture on a page. Measures are the widest file's; `alt` is plain text."""

    key: str
    width: int
    height: int
    alt: str = ""
    focus: str = ""
    """Classes of static/site.css that say what stays in view where the picture is cropped."""
    lazy: bool = True

    def markup(self) -> SafeString:
        """`<picture>` with all formats and widths; the browser takes the smallest that will do."""
        *others, (last, _type) = FORMATS.items()
        sources = [
            format_html(
                '<source type="{}" srcset="{}" sizes="{}">', kind, self._srcset(ending), IN_COLUMN
            )
            for ending, kind in others
        ]
        return format_html(
            '<picture>{}<img src="{}" srcset="{}" sizes="{}" alt="{}"{}{}{}></picture>',
            mark_safe("".join(sources)),  # noqa: S308
            path(self.key, self.width),
            self._srcset(last),
            IN_COLUMN,
            self.alt,
            self._measures(),
            format_html(' class="{}"', self.focus) if self.focus else "",
            mark_safe(' loading="lazy" decoding="async"') if self.lazy else "",
        )

    def _srcset(self, ending: str) -> str:
        return ", ".join(
            f"{path(self.key, width, ending)} {width}w" for width in widths(self.width)
        )

    def _measures(self) -> str:
        """So that the page does not jump when the picture comes."""
        if not self.height:
            return ""
        return format_html(' width="{}" height="{}"', self.width, self.height)


def shown(body: str) -> str:
    """A sanitised body with each picture in all its formats and widths."""
    return IMAGE.sub(_in_all_widths, body)


def _in_all_widths(match: re.Match[str]) -> str:
    given = {name: unescape(value) for name, value in ATTRIBUTE.findall(match["attributes"])}
    address = ADDRESS.fullmatch(given.get("src", ""))
    if address is None:
        return match[0]
    width, height = int(address["width"]), given.get("height", "")
    measured = given.get("width") == address["width"] and height.isdigit()
    return Shown(
        address["key"], width, int(height) if measured else 0, given.get("alt", "")
    ).markup()
