"""Public pages answered from memory, in front of Django.

Each web process keeps the pages that it made, ready to leave, for as long as the site's version is
the one they were made at. It asks for that number at most once a second, by a thread and a
connection of its own; where no answer comes, Django answers every request.

What is stored follows from its scheme and path alone: no host, query string or header of a
stranger is part of a key, and a view stores its page under its one canonical address only, so
nobody fills the memory with addresses of their own invention.
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

from articles.public.page_cache import STORABLE
from core.fragment_cache import VersionedStore, at_version

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Key = tuple[str, str]
"""Scheme and path."""
Headers = list[tuple[str, str]]

VERSION_TTL_SECONDS = 1.0
VERSION_TIMEOUT_SECONDS = 0.25
"""How long a request waits for the number before Django answers it."""
GIVEN_UP_AFTER_SECONDS = 60.0
"""After which a question that hangs is asked anew by another thread."""
PAGE_OVERHEAD = 2000
"""Bytes that a page takes besides its two forms, roughly."""
MADE_WITHIN_SECONDS = 5.0
"""How long a request waits for another that makes the same page."""
MAX_KNOWN = 10_000
"""Addresses of pages that were stored."""
MAX_HOSTS = 100
"""That were asked for and looked at."""
MAX_HOST_CHARACTERS = 255
COMPRESSIBLE = re.compile(r"text/|application/(?:atom\+xml|xml|json)")
WORTH_COMPRESSING = 500
"""Bytes."""
ACCEPTS_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
CONDITIONS = frozenset(
    f"HTTP_IF_{name}" for name in ("MATCH", "NONE_MATCH", "MODIFIED_SINCE", "UNMODIFIED_SINCE")
)


# --- The version -------------------------------------------------------------------------


@dataclass
class _Question:
    asked_at: float
    number: int | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class Version:
    """The site's version, at most VERSION_TTL_SECONDS old."""

    def __init__(self, ask: Callable[[], int | None]) -> None:
        """`ask` is called by a thread of its own; None says that there is no answer."""
        self._ask = ask
        self._lock = threading.Lock()
        self._question: _Question | None = None
        self._questions: SimpleQueue[_Question] | None = None

    def current(self) -> int | None:
        """None where the database does not say."""
        question, now = self._question, time.monotonic()
        if question is None or now >= question.asked_at + VERSION_TTL_SECONDS:
            question = self._ask_anew(now)
        if not question.answered.is_set():
            question.answered.wait(question.asked_at + VERSION_TIMEOUT_SECONDS - now)
        return question.number

    def _ask_anew(self, now: float) -> _Question:
        with self._lock:
            question = self._question
            if question is not None:
                over = question.answered.is_set()
                age = now - question.asked_at
                if age < (VERSION_TTL_SECONDS if over else GIVEN_UP_AFTER_SECONDS):
                    return question
                if not over:
                    self._questions = None
            if self._questions is None:
                # Begun with the first question: a thread does not outlive a fork.
                self._questions = SimpleQueue()
                thread = threading.Thread(target=self._work, args=[self._questions], daemon=True)
                thread.start()
            # The time before it is asked: an answer may be older than its arrival, never younger.
            self._question = question = _Question(now)
            self._questions.put(question)
        return question

    def _work(self, questions: SimpleQueue[_Question]) -> None:
        while True:
            question = questions.get()
            try:
                question.number = self._ask()
            finally:
                question.answered.set()


# --- The pages ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A page as it left Django, and what is sent of it to whom."""

    status: str
    own_headers: Headers
    body: bytes

    @cached_property
    def is_compressible(self) -> bool:
        kind = dict(self.own_headers).get("Content-Type", "")
        return len(self.body) >= WORTH_COMPRESSING and bool(COMPRESSIBLE.match(kind))

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
        """Bytes, with the compressed form, which is made when somebody first takes it."""
        return (2 if self.is_compressible else 1) * len(self.body) + PAGE_OVERHEAD

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The page, or only that nothing has changed (RFC 9110, 13)."""
        if not CONDITIONS.isdisjoint(environ):
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
            plain = {name: environ[name] for name in environ.keys() - CONDITIONS}
            return self.answer(plain, start_response)
        status = f"{found.status_code} {found.reason_phrase}"
        start_response(status, list(found.items()))
        return []


# --- In front of Django ------------------------------------------------------------------


class _Asked(WSGIRequest):
    """As much of a request as says scheme and host, by Django's own rules."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.META = self.environ = environ


class PageCache:
    """A WSGI application around Django's."""

    def __init__(
        self, application: WSGIApplication, version: Callable[[], int | None], size: int
    ) -> None:
        """`size` in bytes; 0 stores nothing."""
        self._application = application
        self._version = version
        # Django takes several times as long for it as all the rest here.
        self._has_valid_host = lru_cache(MAX_HOSTS)(_is_valid_host)
        self._making: dict[Key, threading.Event] = {}
        self._were_stored: LRUCache[Key, bool] = LRUCache(MAX_KNOWN)
        self._lock = threading.Lock()
        self.store: VersionedStore[Page] | None = (
            VersionedStore(size, lambda page: page.size) if size else None
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        store = self.store if _is_anonymous_read(environ) else None
        number = None if store is None else self._version()
        if store is None or number is None:
            return self._ask_django(environ, start_response)[1]
        asked = _Asked(environ)
        key = (asked.scheme or "", environ["PATH_INFO"])
        page = store.get(key, number)
        if page is None and self._is_made_by_another(key):
            page = store.get(key, number)
        if page is not None and self._has_valid_host(*map(environ.get, NAMES)):
            return page.answer(environ, start_response)
        try:
            with at_version(number):
                page, answer = self._ask_django(environ, start_response)
            if page is not None:
                store.put(key, page, number)
        finally:
            self._is_made(key, is_stored=page is not None)
        return answer

    def _is_made_by_another(self, key: Key) -> bool:
        """Waits for the thread that makes it already, so that a change makes a page anew once.

        Only for what was stored before: who asks for something else need not wait for others.
        """
        with self._lock:
            if key not in self._were_stored:
                return False
            making = self._making.get(key)
            if making is None:
                self._making[key] = threading.Event()
                return False
        return making.wait(MADE_WITHIN_SECONDS)

    def _is_made(self, key: Key, *, is_stored: bool) -> None:
        with self._lock:
            if is_stored:
                self._were_stored[key] = True
            making = self._making.pop(key, None)
        if making is not None:
            making.set()

    def _ask_django(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> tuple[Page | None, Iterable[bytes]]:
        """Its answer, and the page if it may be stored."""
        told: list[Any] = []

        def note(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            told[:] = [status, headers]
            return lambda _data: None

        response = self._application(environ, note)
        status, headers = told
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


NAMES = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT")
"""What Django may take a host from."""


def _is_valid_host(*names: str | None) -> bool:
    """One that is none gets Django's 400."""
    named = {name: value for name, value in zip(NAMES, names, strict=True) if value is not None}
    if len(named.get("HTTP_HOST", "")) > MAX_HOST_CHARACTERS:
        return False
    try:
        _Asked(named).get_host()
    except DisallowedHost:
        return False
    return True


def _is_storable(response: HttpResponse) -> bool:
    return (
        response.status_code == 200
        and response.headers.get("Cache-Control") == STORABLE
        and not response.cookies
        and "Vary" not in response.headers
    )
