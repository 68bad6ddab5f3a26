"""Which pages may be stored in front of Django, by newsroom/page_cache.py, and which nowhere."""

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

STORABLE = "public, no-cache"
"""The Cache-Control of a page that may be stored; browsers and proxies ask before using it."""

View = Callable[..., HttpResponseBase]


def cached_page(view: View) -> View:
    """For a view whose answer follows from its path and the database, and from nothing else.

    No clock, no form, and nothing behind a question mark. It answers at one address for each page;
    others that lead to the view, such as `/topics/elite/01/`, are redirected.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        path = _canonical(request)
        if request.path_info != unquote(path):
            return redirect(path)
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponse) and response.status_code == 200:
            response.headers["Cache-Control"] = STORABLE
            with_etag(response)
        return response

    return answer


def redirect(path: str) -> HttpResponse:
    """To a page's one address, which may be another one once a title is corrected."""
    response = HttpResponsePermanentRedirect(path)
    patch_cache_control(response, no_cache=True)
    return response


def private_page(response: HttpResponse) -> HttpResponse:
    """For a page that nobody may find by searching, or keep."""
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Cache-Control"] = "no-store"
    return response


def with_etag(response: HttpResponse) -> HttpResponse:
    """An ETag of its bytes: it may be stored elsewhere, but not used without asking.

    A weak one (RFC 9110, 8.8.1), since the compressed form has the same.
    """
    etag = hashlib.sha256(response.content).hexdigest()[:32]
    response.headers["ETag"] = f'W/"{etag}"'
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _canonical(request: HttpRequest) -> str:
    """As a link of ours has it. The first page of a list has no number."""
    match = request.resolver_match
    assert match is not None
    kwargs = dict(match.kwargs)
    if kwargs.get("page") == 1:
        del kwargs["page"]
    return reverse(match.view_name, kwargs=kwargs)
