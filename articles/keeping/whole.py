"""Whole pages, as they left: headers and all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import parse_http_date_safe, quote_etag

from articles import tags
from articles.keeping.parts import OVERHEAD, moment
from articles.keeping.store import Kept, store
from articles.models import PageChange
from articles.models.changes import Generation
from newsroom.showing import noting

KEPT_STATUS = frozenset({200, 410})
CONDITIONS = frozenset(
    f"HTTP_IF_{name}" for name in ("MATCH", "NONE_MATCH", "MODIFIED_SINCE", "UNMODIFIED_SINCE")
)
Key = tuple[str, str]
"""Scheme and path. The host is in no page, and no kept view reads what follows a question mark."""
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Noted:
    """What an answer shows, and how old everything was before it was made."""

    tags: frozenset[str]
    before: Generation


@dataclass(frozen=True)
class Answer:
    """A page as it left."""

    status: int
    headers: dict[str, str]
    body: bytes

    def to(self, request: HttpRequest) -> HttpResponseBase:
        """The page, or only that nothing has changed."""
        response = HttpResponse(self.body, status=self.status, headers=self.headers)
        return conditional(request, response)


def kept(view: View) -> View:
    """For a view whose answer follows from its path and what it shows, and from nothing else."""

    @wraps(view)
    def noted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not store.is_used:
            response = view(request, *args, **kwargs)
            tag(response)
            return response
        with moment() as before, noting() as shown:
            response = view(request, *args, **kwargs)
        tag(response)
        about = Noted(frozenset(shown | {tags.FURNITURE}), before)
        response.noted = about  # type: ignore[attr-defined]
        return response

    return noted


def tag(response: HttpResponseBase) -> None:
    """Gives it an ETag of its bytes: it may be stored elsewhere, but not used without asking."""
    if isinstance(response, HttpResponse) and response.status_code in KEPT_STATUS:
        etag = quote_etag(hashlib.sha256(response.content).hexdigest()[:32])
        response.headers.setdefault("ETag", etag)
        if "Cache-Control" not in response.headers:
            patch_cache_control(response, no_cache=True)


def conditional(request: HttpRequest, response: HttpResponse) -> HttpResponseBase:
    """Only that nothing has changed, where the browser has the same already (RFC 9110, 13)."""
    if CONDITIONS.isdisjoint(request.META):
        return response
    date = response.headers.get("Last-Modified")
    changed_at = parse_http_date_safe(date) if date else None
    etag = response.headers.get("ETag")
    return get_conditional_response(request, etag, changed_at, response) or response


class KeptPages:
    """The outermost middleware: what is kept has been through all the others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in {"GET", "HEAD"} or not store.is_used:
            return self._ask(request, None)
        key = (request.scheme or "", request.path)
        page = store.get(key)
        if page is None or not _is_current(page):
            return self._ask(request, key)
        # As for any other answer: one for a host that is not ours is none.
        request.get_host()
        answer: Answer = page.value
        return answer.to(request)

    def _ask(self, request: HttpRequest, key: Key | None) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, HttpResponse) or "ETag" not in response.headers:
            return response
        noted = getattr(response, "noted", None)
        if key is not None and noted is not None and response.status_code in KEPT_STATUS:
            _keep(key, response, noted)
        return conditional(request, response)


def _is_current(page: Kept) -> bool:
    # This question shows by itself whether the connection still works: no other one before it.
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return page.is_current(PageChange.objects.generation())
    except DatabaseError:
        # A connection that broke since its last use: the view's own way opens another one.
        connection.close()
        return False


def _keep(key: Key, response: HttpResponse, noted: Noted) -> None:
    """Unless something changed while it was made: nobody knows then what it shows."""
    now, generation = PageChange.objects.generations(noted.tags)
    if now == noted.before:
        answer = Answer(response.status_code, dict(response.headers), response.content)
        size = len(answer.body) + OVERHEAD
        store.put(key, Kept(answer, size, tuple(sorted(noted.tags)), generation, now))
