"""A client of one web process: the page cache and Django behind it."""

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
class Response:
    """Status, headers and body."""

    status_code: int
    headers: dict[str, str]
    content: bytes


@dataclass
class Visitor:
    """Requests pages of one web process, whose site version is `number`."""

    number: int | None = 1
    cache: PageCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = PageCache(WSGIHandler(), lambda: self.number, SIZE)

    @property
    def stored(self) -> int:
        """The number of cached pages."""
        assert self.cache.store is not None
        return len(self.cache.store)

    def get(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET"
    ) -> Response:
        request = RequestFactory().generic(method, path, headers=headers)
        started: list[tuple[str, list[tuple[str, str]]]] = []
        with _within_the_tests_transaction():
            body = b"".join(
                self.cache(
                    request.environ, lambda status, sent, *_error: started.append((status, sent))
                )
            )
        [(status, sent)] = started
        return Response(int(status.split()[0]), dict(sent), body)


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
