"""Public pages answered from memory, in front of Django.

Each web process caches pages until the site's version changes. It queries the version at most once
a second, in a thread with a connection of its own; without an answer Django handles all requests.

The key is scheme and path only, and a view's page is stored under its canonical URL only, so that
nobody can fill the cache with other hosts, query strings or headers.
"""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import parse_http_date_safe

from articles.public.page_cache import STORABLE_CACHE_CONTROL
from core.fragment_cache import VersionedCache, at_version

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Key = tuple[str, str]
"""Scheme and path."""
Headers = list[tuple[str, str]]

VERSION_TTL_SECONDS = 1.0
VERSION_TIMEOUT_SECONDS = 0.25
"""Then Django answers the request."""
HUNG_QUERY_TIMEOUT_SECONDS = 60.0
"""Then another thread queries again."""
PAGE_OVERHEAD_BYTES = 2000
"""Of a page besides its plain and compressed bodies, roughly."""
RENDER_TIMEOUT_SECONDS = 5.0
"""How long a request waits for another that renders the same page."""
MAX_KNOWN_PAGES = 10_000
"""Keys that were stored before."""
MAX_HOSTS = 100
"""Validated ones that are remembered."""
MAX_HOST_CHARACTERS = 255
COMPRESSIBLE = re.compile(r"text/|application/(?:atom\+xml|xml|json)")
MIN_COMPRESSED_BYTES = 500
ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
CONDITIONAL_HEADERS = frozenset(
    f"HTTP_IF_{name}" for name in ("MATCH", "NONE_MATCH", "MODIFIED_SINCE", "UNMODIFIED_SINCE")
)


# --- The version -------------------------------------------------------------------------


@dataclass
class _Query:
    asked_at: float
    number: int | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class VersionPoller:
    """The site's version, at most VERSION_TTL_SECONDS old."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        """`ask` runs in a thread; None means no answer."""
        self._ask = ask
        self._lock = threading.Lock()
        self._query: _Query | None = None
        self._queue: SimpleQueue[_Query] | None = None

    def current(self) -> int | None:
        """None if the database does not answer."""
        query, now = self._query, time.monotonic()
        if query is None or now >= query.asked_at + VERSION_TTL_SECONDS:
            query = self._start_query(now)
        if not query.answered.is_set():
            query.answered.wait(query.asked_at + VERSION_TIMEOUT_SECONDS - now)
        return query.number

    def _start_query(self, now: float) -> _Query:
        with self._lock:
            query = self._query
            if query is not None:
                over = query.answered.is_set()
                age = now - query.asked_at
                if age < (VERSION_TTL_SECONDS if over else HUNG_QUERY_TIMEOUT_SECONDS):
                    return query
                if not over:
                    self._queue = None
            if self._queue is None:
                # Started lazily: a thread does not survive a fork.
                self._queue = SimpleQueue()
                thread = threading.Thread(target=self._work, args=[self._queue], daemon=True)
                thread.start()
            # From before the query: the answer may be older than its arrival.
            self._query = query = _Query(now)
            self._queue.put(query)
        return query

    def _work(self, queue: SimpleQueue[_Query]) -> None:
        while True:
            query = queue.get()
            try:
                query.number = self._ask()
            finally:
                query.answered.set()


# --- The pages ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A cached response, plain and compressed."""

    status: str
    own_headers: Headers
    body: bytes

    @cached_property
    def is_compressible(self) -> bool:
        kind = dict(self.own_headers).get("Content-Type", "")
        return len(self.body) >= MIN_COMPRESSED_BYTES and bool(COMPRESSIBLE.match(kind))

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.body, 6, mtime=0) if self.is_compressible else b""

    @cached_property
    def headers(self) -> Headers:
        length = ("Content-Length", str(len(self.body)))
        return [*self._common, length]

    @cached_property
    def compressed_headers(self) -> Headers:
        length = ("Content-Length", str(len(self.compressed)))
        return [*self._common, ("Content-Encoding", "gzip"), length]

    @cached_property
    def _common(self) -> Headers:
        kept = [pair for pair in self.own_headers if pair[0] != "Content-Length"]
        return [*kept, ("Vary", "Accept-Encoding")] if self.is_compressible else kept

    @property
    def size(self) -> int:
        """Bytes, with the compressed body, which is made on first use."""
        return (2 if self.is_compressible else 1) * len(self.body) + PAGE_OVERHEAD_BYTES

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The page, or 304 (RFC 9110, 13)."""
        if not CONDITIONAL_HEADERS.isdisjoint(environ):
            return self._conditional(environ, start_response)
        body, headers = self.body, self.headers
        if self.is_compressible and ACCEPTS_GZIP.search(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body, headers = self.compressed, self.compressed_headers
        start_response(self.status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _conditional(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        headers = dict(self._common)
        date = headers.get("Last-Modified")
        response = HttpResponse(status=int(self.status.split()[0]), headers=headers)
        found = get_conditional_response(
            WSGIRequest(environ),
            headers.get("ETag"),
            parse_http_date_safe(date) if date else None,
            response,
        )
        if found is None or found is response:
            plain = {name: environ[name] for name in environ.keys() - CONDITIONAL_HEADERS}
            return self.answer(plain, start_response)
        status = f"{found.status_code} {found.reason_phrase}"
        start_response(status, list(found.items()))
        return []


# --- In front of Django ------------------------------------------------------------------


class _HostRequest(WSGIRequest):
    """Enough of a request for Django's scheme and host."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.META = self.environ = environ


class PageCache:
    """WSGI middleware around Django."""

    def __init__(
        self, application: WSGIApplication, version: Callable[[], int | None], size: int
    ) -> None:
        """`size` in bytes; 0 turns the cache off."""
        self._application = application
        self._version = version
        # Django's validation is slow.
        self._has_valid_host = lru_cache(MAX_HOSTS)(_is_valid_host)
        self._rendering: dict[Key, threading.Event] = {}
        self._known_keys: LRUCache[Key, bool] = LRUCache(MAX_KNOWN_PAGES)
        self._lock = threading.Lock()
        self.store: VersionedCache[Page] | None = (
            VersionedCache(size, lambda page: page.size) if size else None
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        store = self.store if _is_anonymous_read(environ) else None
        number = None if store is None else self._version()
        if store is None or number is None:
            return self._ask_django(environ, start_response)[1]
        request = _HostRequest(environ)
        key = (request.scheme or "", environ["PATH_INFO"])
        page = store.get(key, number)
        if page is None and self._wait_for_other_thread(key):
            page = store.get(key, number)
        if page is not None and self._has_valid_host(*map(environ.get, HOST_VARIABLES)):
            return page.answer(environ, start_response)
        try:
            with at_version(number):
                page, answer = self._ask_django(environ, start_response)
            if page is not None:
                store.put(key, page, number)
        finally:
            self._finish_rendering(key, is_stored=page is not None)
        return answer

    def _wait_for_other_thread(self, key: Key) -> bool:
        """True once another thread has rendered the page, so that each is rendered once.

        Only for keys that were stored before.
        """
        with self._lock:
            if key not in self._known_keys:
                return False
            rendering = self._rendering.get(key)
            if rendering is None:
                self._rendering[key] = threading.Event()
                return False
        return rendering.wait(RENDER_TIMEOUT_SECONDS)

    def _finish_rendering(self, key: Key, *, is_stored: bool) -> None:
        with self._lock:
            if is_stored:
                self._known_keys[key] = True
            rendering = self._rendering.pop(key, None)
        if rendering is not None:
            rendering.set()

    def _ask_django(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> tuple[Page | None, Iterable[bytes]]:
        """The response, and the page if it may be stored."""
        started: list[Any] = []

        def record(
            status: str, headers: Headers, exc_info: Any = None
        ) -> Callable[[bytes], object]:
            started[:] = [status, headers]
            return lambda _data: None

        response = self._application(environ, record)
        status, headers = started
        if not isinstance(response, HttpResponse) or "ETag" not in response.headers:
            start_response(status, headers)
            return None, response
        page = Page(status, headers, response.content)
        response.close()
        answer = page.answer(environ, start_response)
        return (page if _is_storable(response) else None), answer


def _is_anonymous_read(environ: WSGIEnvironment) -> bool:
    return (
        environ["REQUEST_METHOD"] in {"GET", "HEAD"}
        and not environ.get("HTTP_COOKIE")
        and not environ.get("HTTP_AUTHORIZATION")
        and not environ.get("SCRIPT_NAME")
    )


HOST_VARIABLES = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT")
"""What Django derives the host from."""


def _is_valid_host(*names: str | None) -> bool:
    """An invalid host gets Django's 400."""
    named = {
        name: value for name, value in zip(HOST_VARIABLES, names, strict=True) if value is not None
    }
    if len(named.get("HTTP_HOST", "")) > MAX_HOST_CHARACTERS:
        return False
    try:
        _HostRequest(named).get_host()
    except DisallowedHost:
        return False
    return True


def _is_storable(response: HttpResponse) -> bool:
    return (
        response.status_code == 200
        and response.headers.get("Cache-Control") == STORABLE_CACHE_CONTROL
        and not response.cookies
        and "Vary" not in response.headers
    )
