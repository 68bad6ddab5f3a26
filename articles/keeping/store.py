"""Where a process keeps what it made."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from django.conf import settings

from articles.models import PageChange
from articles.models.changes import Generation


@dataclass
class Kept:
    """Something that was made, what it shows, and since when."""

    value: Any
    size: int
    """Bytes, roughly."""
    tags: tuple[str, ...]
    generation: Generation
    """Of the tags, when it was made."""
    seen: Generation
    """Of everything, when it was last known to be current."""

    def is_current(self, now: Generation) -> bool:
        """Whether nothing that it shows has changed; `now` is everything's generation.

        As long as nothing at all has changed, that of its own tags need not be asked for.
        """
        if now == self.seen:
            return True
        current = PageChange.objects.generation(self.tags) == self.generation
        if current:
            self.seen = now
        return current


class Store:
    """What was asked for least lately leaves first. One for all threads of a process."""

    def __init__(self, size: int) -> None:
        """`size` in bytes; 0 keeps nothing."""
        self._kept: LRUCache[Hashable, Kept] = LRUCache(size, lambda kept: kept.size)
        self._lock = threading.Lock()

    @property
    def is_used(self) -> bool:
        return bool(self._kept.maxsize)

    def get(self, key: Hashable) -> Kept | None:
        with self._lock:
            found: Kept | None = self._kept.get(key)
            return found

    def put(self, key: Hashable, kept: Kept) -> None:
        """Nothing that would be most of the store."""
        with self._lock:
            if kept.size < self._kept.maxsize // 4:
                self._kept[key] = kept

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


store = Store(settings.PAGE_CACHE_MB * 1024 * 1024)
