"""Marks the responses that newsroom/page_cache.py may store, and those that nobody may."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_cache_control

STORABLE_CACHE_CONTROL = "public, no-cache"
"""Browsers and proxies may store it, and revalidate it before each use."""

View = Callable[..., HttpResponseBase]


def cached_page(view: View) -> View:
    """For a view that depends on the path and the database only: no clock, form or query string.

    Redirects other paths that resolve to the view, such as `/topics/elite/01/`, to the canonical
    one.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        path = _canonical_path(request)
        if request.path_info != unquote(path):
            return canonical_redirect(path)
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponse) and response.status_code == 200:
            response.headers["Cache-Control"] = STORABLE_CACHE_CONTROL
            with_etag(response)
        return response

    return wrapper


def canonical_redirect(path: str) -> HttpResponse:
    """Permanent but not cached: a corrected title changes the canonical path."""
    response = HttpResponsePermanentRedirect(path)
    patch_cache_control(response, no_cache=True)
    return response


def private_response(response: HttpResponse) -> HttpResponse:
    """Neither indexed nor stored."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Cache-Control"] = "no-store"
    return response


def with_etag(response: HttpResponse) -> HttpResponse:
    """Adds a weak ETag (RFC 9110, 8.8.1), as compressed responses have the same, and no-cache."""
    etag = hashlib.sha256(response.content).hexdigest()[:32]
    response.headers["ETag"] = f'W/"{etag}"'
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _canonical_path(request: HttpRequest) -> str:
    """As `reverse` builds it. The first page of a list has no number."""
    match = request.resolver_match
    assert match is not None
    kwargs = dict(match.kwargs)
    if kwargs.get("page") == 1:
        del kwargs["page"]
    return reverse(match.view_name, kwargs=kwargs)
