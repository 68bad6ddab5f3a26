"""What a page shows, noted while it is made: names that whoever changes something names too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_noted: ContextVar[set[str] | None] = ContextVar("what the page shows", default=None)


def shows(*tags: str) -> None:
    """The page that is being made shows this. Outside of `noting` nobody wants to know."""
    noted = _noted.get()
    if noted is not None:
        noted.update(tags)


@contextmanager
def noting() -> Iterator[set[str]]:
    """Collects what is shown meanwhile; an outer one hears of it too."""
    outer, own = _noted.get(), set[str]()
    token = _noted.set(own)
    try:
        yield own
    finally:
        _noted.reset(token)
        if outer is not None:
            outer |= own
