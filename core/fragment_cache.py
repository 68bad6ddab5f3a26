"""Fragments that many pages share, rendered once per version of the site."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from cachetools import LRUCache

T = TypeVar("T")
MAX_FRAGMENTS = 1000

_version: ContextVar[int | None] = ContextVar("site_version", default=None)


class VersionedCache(Generic[T]):
    """An LRU cache whose entries belong to one version."""

    def __init__(self, size: int, size_of: Callable[[T], int] = lambda _value: 1) -> None:
        self._entries: LRUCache[Hashable, T] = LRUCache(size, size_of)
        self._number = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, number: int) -> T | None:
        """The entry of that version. A newer version empties the cache."""
        with self._lock:
            if number > self._number:
                self._entries.clear()
                self._number = number
            return self._entries.get(key) if number == self._number else None

    def put(self, key: Hashable, value: T, number: int) -> None:
        """Ignores another version, and values of more than a quarter of the cache."""
        with self._lock:
            fits = self._entries.getsizeof(value) <= max(self._entries.maxsize // 4, 1)
            if number == self._number and fits:
                self._entries[key] = value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._number = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


_fragments: VersionedCache[Any] = VersionedCache(MAX_FRAGMENTS)


@contextmanager
def at_version(number: int) -> Iterator[None]:
    """Sets the version that `cached_fragment` uses within the block."""
    token = _version.set(number)
    try:
        yield
    finally:
        _version.reset(token)


def cached_fragment(key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """The value that `make` returned first at this version; not to be mutated.

    Outside `at_version` nothing is cached.
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
    """For tests, whose version starts over."""
    _fragments.clear()
