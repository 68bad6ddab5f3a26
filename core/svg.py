"""Elements of SVG as text. Pure; numbers are written the same in every language."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def element(name: str, *inside: object, **attributes: object) -> SafeString:
    """With text, which is escaped, and elements inside.

    `class_` becomes class, `aria_label` aria-label; an attribute that is None is left out.
    """
    given = {key: value for key, value in attributes.items() if value is not None}
    pairs = ((key.rstrip("_").replace("_", "-"), _plain(value)) for key, value in given.items())
    written = format_html_join("", ' {}="{}"', pairs)
    return format_html("<{0}{1}>{2}</{0}>", name, written, joined(*inside))


def joined(*inside: object) -> SafeString:
    """One after another."""
    return format_html_join("", "{}", ((one,) for one in inside))


def drawing(
    box: tuple[float, float, float, float], *inside: object, **attributes: object
) -> SafeString:
    """The picture; the box is its left, its top, its width and its height."""
    return element("svg", *inside, viewBox=" ".join(map(_plain, box)), **attributes)


def text(x: float, y: float, said: object, class_: str | None = None) -> SafeString:
    """Words on a line at `y`."""
    return element("text", said, class_=class_, x=x, y=y)


def rect(
    x: float, y: float, width: float, height: float, *inside: object, class_: str | None = None
) -> SafeString:
    """A bar, a column, a place to press."""
    return element("rect", *inside, class_=class_, x=x, y=y, width=width, height=height)


def line(x1: float, y1: float, x2: float, y2: float, class_: str | None = None) -> SafeString:
    """From one point to another."""
    return element("line", class_=class_, x1=x1, x2=x2, y1=y1, y2=y2)


def path(steps: str, class_: str | None = None, **attributes: object) -> SafeString:
    """As SVG's own language of paths has it."""
    return element("path", class_=class_, d=steps, **attributes)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
