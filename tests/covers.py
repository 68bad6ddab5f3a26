"""One cover for the whole demo: to draw and encode forty takes half a minute of a processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from articles.images.decoding import prepare_own
from articles.images.processing import Prepared
from demo.content.covers import draw_cover


@cache
def any_cover() -> Prepared:
    """A real one."""
    return prepare_own(draw_cover("elite", 1))


@contextmanager
def one_cover() -> Iterator[None]:
    """While it lasts, every article of the demo gets the same."""
    instead: dict[str, Any] = {"draw_cover": lambda *_: b"", "prepare_own": lambda _: any_cover()}
    with patch.multiple("demo.content.loading", **instead):
        yield
