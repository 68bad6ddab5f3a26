"""The elements and sizes of an SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping


def elements_of(picture: str, tag: str, class_: str = "") -> list[Mapping[str, str]]:
    """The attributes of its elements with that tag and class, in order, with their "text"."""
    return [
        {**one.attrib, "text": "".join(one.itertext())}
        for one in ET.fromstring(picture).iter(tag)
        if not class_ or class_ in one.get("class", "").split()
    ]


def texts_of(picture: str, class_: str) -> list[str]:
    """The texts with that class."""
    return [one["text"] for one in elements_of(picture, "text", class_=class_)]


def size_of(picture: str) -> tuple[float, float]:
    """Its width and height, in its own units."""
    _left, _top, width, height = ET.fromstring(picture).attrib["viewBox"].split()
    return float(width), float(height)
