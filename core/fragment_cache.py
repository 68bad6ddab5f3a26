"""Fragments that many pages share, made once for each version of the site."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")
MAX_FRAGMENTS = 1000

_version: ContextVar[int | None] = ContextVar("the site's version a page is made at", default=None)


class VersionedStore(Generic[T]):
    """Things made at one version. What was asked for least lately leaves first."""

    def __init__(self, size: int, size_of: Callable[[T], int] = lambda _thing: 1) -> None:
        self._things: LRUCache[Hashable, T] = LRUCache(size, size_of)
        self._number = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, number: int) -> T | None:
        """What was stored at that version. A newer one empties the store."""
        with self._lock:
            if number > self._number:
                self._things.clear()
                self._number = number
            return self._things.get(key) if number == self._number else None

    def put(self, key: Hashable, thing: T, number: int) -> None:
        """Nothing of another version than the store's, and nothing that would be most of it."""
        with self._lock:
            fits = self._things.getsizeof(thing) <= max(self._things.maxsize // 4, 1)
            if number == self._number and fits:
                self._things[key] = thing

    def clear(self) -> None:
        with self._lock:
            self._things.clear()
            self._number = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._things)


_fragments: VersionedStore[Any] = VersionedStore(MAX_FRAGMENTS)


@contextmanager
def at_version(number: int) -> Iterator[None]:
    """While a page is made that shows the site at this version."""
    token = _version.set(number)
    try:
        yield
    finally:
        _version.reset(token)


def cached_fragment(key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """As `make` gave it first at this version. Whoever gets it must not change it.

    Outside `at_version` it is made each time.
    """
    number = _version.get()
    if number is None:
        return make()
    found: T | None = _fragments.get(key, number)
    if found is None:
        found = make()
        _fragments.put(key, found, number)
    return found


def clear() -> None:
    """For tests, whose version begins anew."""
    _fragments.clear()
