"""Feeds, sitemaps and Open Graph images.

Like pages they have an ETag and `no-cache`, so that a withdrawn text is gone from caches at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from articles.images.share_image import render_share_image
from articles.models import Article, Topic
from articles.public import feeds, sitemaps, social_metadata
from articles.public.feeds import Feed
from articles.public.page_cache import cached_page, canonical_redirect, with_etag

ATOM = "application/atom+xml; charset=utf-8"
XML = "application/xml; charset=utf-8"


@require_safe
@cached_page
def feed(request: HttpRequest, language: str, code: str = "", page: int = 1) -> HttpResponse:
    """A language's feed or a topic's, last changed first."""
    topic = get_object_or_404(Topic, code=code) if code else None
    # Before the entries: a later change must not be older than Last-Modified.
    changed_at = feeds.last_modified(language)
    body = feeds.render_atom(Feed(language, topic, page))
    return _response(body, ATOM, changed_at=changed_at)


@require_safe
@cached_page
def sitemap_index(request: HttpRequest) -> HttpResponse:
    """The sitemap index of all languages."""
    return _xml("sitemap_index", {"files": sitemaps.sitemap_files()})


@require_safe
@cached_page
def sitemap(request: HttpRequest, language: str, number: int | None = None) -> HttpResponse:
    """A language's list pages or, with a number, a part of its articles."""
    if number is None:
        return _xml("sitemap", {"entries": sitemaps.page_entries(language)})
    return _xml("sitemap", {"entries": sitemaps.article_entries(language, number)})


@require_safe
def news_sitemap(request: HttpRequest, language: str) -> HttpResponse:
    """A language's Google News sitemap. Not cached: entries expire by age."""
    found = sitemaps.news_entries(language, timezone.now())
    context = {"news": found, "language": language, "publication": sitemaps.publication_name()}
    return with_etag(_xml("news", context))


@require_safe
@cached_page
def share_image(request: HttpRequest, language: str, pk: int, version: str) -> HttpResponse:
    """The og:image of a public text. Another version redirects to the current one."""
    public = Article.objects.in_language(language).select_related("topic")
    found = get_object_or_404(public, pk=pk)
    path = social_metadata.share_image_path(found, language)
    if request.path_info != path:
        return canonical_redirect(path)
    text = social_metadata.share_image_text(found, language)
    response = _response(render_share_image(text), "image/png")
    # Other sites embed it.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _xml(template: str, context: Mapping[str, object]) -> HttpResponse:
    text = render_to_string(f"articles/xml/{template}.xml", context)
    response = _response(text.encode(), XML)
    # Only the listed pages are to be indexed.
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _response(
    body: bytes, content_type: str, *, changed_at: dt.datetime | None = None
) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    if changed_at is not None:
        response.headers["Last-Modified"] = http_date(int(changed_at.timestamp()))
    return response
