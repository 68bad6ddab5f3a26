"""Parts that many pages share: what is around each of them, the newest week, a topic's newest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from articles import tags
from articles.keeping.store import Kept, store
from articles.models import PageChange
from articles.models.changes import Generation
from newsroom.showing import noting, shows

P = ParamSpec("P")
T = TypeVar("T")
OVERHEAD = 2000
"""Bytes that a kept thing takes besides its text, roughly."""
_moment: ContextVar[Generation | None] = ContextVar("when the page is made", default=None)


@contextmanager
def moment() -> Iterator[Generation]:
    """While a page is made: what was current when it was begun need not be asked for again."""
    now = PageChange.objects.generation()
    token = _moment.set(now)
    try:
        yield now
    finally:
        _moment.reset(token)


def with_parts(view: Callable[P, T]) -> Callable[P, T]:
    """For a view whose answer is made for one reader, around what all of them get."""

    @wraps(view)
    def shared(*args: P.args, **kwargs: P.kwargs) -> T:
        if not store.is_used:
            return view(*args, **kwargs)
        with moment():
            return view(*args, **kwargs)

    return shared


def part(key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """What `make` gives, or gave before if nothing that it shows has changed since.

    Only while a page is made. Whoever gets it must not change it: others have it too.
    """
    now = _moment.get()
    if now is None:
        return make()
    kept = store.get(key)
    if kept is None or not kept.is_current(now):
        with noting() as shown:
            value = make()
        shown.add(tags.FURNITURE)
        after, generation = PageChange.objects.generations(shown)
        kept = Kept(value, _size(value), tuple(sorted(shown)), generation, now)
        if after == now:
            store.put(key, kept)
    shows(*kept.tags)
    found: T = kept.value
    return found


def _size(value: object) -> int:
    if isinstance(value, list | tuple):
        return sum(map(_size, value), OVERHEAD)
    return OVERHEAD + (len(value) if isinstance(value, str) else 0)
