"""What stands in a picture, for tests to measure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping


def parts_of(picture: str, tag: str, class_: str = "") -> list[Mapping[str, str]]:
    """The attributes of its elements of that kind and class, in their order, and their "text"."""
    return [
        {**one.attrib, "text": "".join(one.itertext())}
        for one in ET.fromstring(picture).iter(tag)
        if not class_ or class_ in one.get("class", "").split()
    ]


def texts_of(picture: str, class_: str) -> list[str]:
    """The words of that class."""
    return [one["text"] for one in parts_of(picture, "text", class_=class_)]


def size_of(picture: str) -> tuple[float, float]:
    """Its width and height, in its own units."""
    _left, _top, width, height = ET.fromstring(picture).attrib["viewBox"].split()
    return float(width), float(height)
