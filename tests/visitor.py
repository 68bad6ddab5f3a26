"""Public pages as a web process answers them: from its memory, and by Django behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import RequestFactory

from newsroom.page_cache import PageCache

SIZE = 32 * 1024 * 1024


@dataclass
class Answer:
    """What was sent."""

    status_code: int
    headers: dict[str, str]
    content: bytes


@dataclass
class Visitor:
    """Asks one web process, which takes the site's version from `number`."""

    number: int | None = 1
    cache: PageCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = PageCache(WSGIHandler(), lambda: self.number, SIZE)

    @property
    def stored(self) -> int:
        """How many pages the process has stored."""
        assert self.cache.store is not None
        return len(self.cache.store)

    def get(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET"
    ) -> Answer:
        asked = RequestFactory().generic(method, path, headers=headers)
        told: list[tuple[str, list[tuple[str, str]]]] = []
        with _within_the_tests_transaction():
            body = b"".join(
                self.cache(asked.environ, lambda status, sent, *_error: told.append((status, sent)))
            )
        [(status, sent)] = told
        return Answer(int(status.split()[0]), dict(sent), body)


@contextmanager
def _within_the_tests_transaction() -> Iterator[None]:
    """As Django's own test client does it: a request would close the test's connection."""
    signals = request_started, request_finished
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)
