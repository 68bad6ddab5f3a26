"""One cover for the whole demo: forty take half a minute of CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from articles.images.decoder_process import ProcessedImage
from articles.images.image_decoder import process_trusted
from demo.content.covers import draw_cover


@cache
def any_cover() -> ProcessedImage:
    """A real cover."""
    return process_trusted(draw_cover("elite", 1))


@contextmanager
def same_cover_for_all() -> Iterator[None]:
    """Every article of the demo gets the same cover within the block."""
    instead: dict[str, Any] = {
        "draw_cover": lambda *_: b"",
        "process_trusted": lambda _: any_cover(),
    }
    with patch.multiple("demo.content.loading", **instead):
        yield
