"""SVG elements as markup. Numbers are not localised."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def element(name: str, *children: object, **attributes: object) -> SafeString:
    """An element with text, which is escaped, and elements as children.

    `class_` becomes class, `aria_label` aria-label; an attribute that is None is left out.
    """
    given = {key: value for key, value in attributes.items() if value is not None}
    pairs = ((key.rstrip("_").replace("_", "-"), _plain(value)) for key, value in given.items())
    written = format_html_join("", ' {}="{}"', pairs)
    return format_html("<{0}{1}>{2}</{0}>", name, written, join(*children))


def join(*children: object) -> SafeString:
    """Concatenates elements."""
    return format_html_join("", "{}", ((one,) for one in children))


def svg(
    box: tuple[float, float, float, float], *children: object, **attributes: object
) -> SafeString:
    """The root element; the box is left, top, width and height."""
    return element("svg", *children, viewBox=" ".join(map(_plain, box)), **attributes)


def text(x: float, y: float, content: object, class_: str | None = None) -> SafeString:
    """Text whose baseline is at `y`."""
    return element("text", content, class_=class_, x=x, y=y)


def rect(
    x: float, y: float, width: float, height: float, *children: object, class_: str | None = None
) -> SafeString:
    """A rectangle."""
    return element("rect", *children, class_=class_, x=x, y=y, width=width, height=height)


def line(x1: float, y1: float, x2: float, y2: float, class_: str | None = None) -> SafeString:
    """A line between two points."""
    return element("line", class_=class_, x1=x1, x2=x2, y1=y1, y2=y2)


def path(data: str, class_: str | None = None, **attributes: object) -> SafeString:
    """A path; `data` is its `d` attribute."""
    return element("path", class_=class_, d=data, **attributes)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
