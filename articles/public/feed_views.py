"""What programs fetch: feeds, sitemaps, the pictures beside shared links.

As every page's, their ETag is that of their bytes, and nobody uses a copy without asking: what
is withdrawn is gone with the next question.
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

from articles.images import share_image
from articles.models import Article, Topic
from articles.public import feeds, sitemaps, social_metadata
from articles.public.feeds import Feed
from articles.public.page_cache import cached_page, redirect, with_etag

ATOM = "application/atom+xml; charset=utf-8"
XML = "application/xml; charset=utf-8"


@require_safe
@cached_page
def feed(request: HttpRequest, language: str, code: str = "", page: int = 1) -> HttpResponse:
    """A language's texts or, with a topic's code, that topic's; newest change first."""
    topic = get_object_or_404(Topic, code=code) if code else None
    # Asked first: whatever changes meanwhile is new to whoever comes with this date.
    changed_at = feeds.last_modified(language)
    body = feeds.as_atom(Feed(language, topic, page))
    return _answer(body, ATOM, changed_at=changed_at)


@require_safe
@cached_page
def sitemap_index(request: HttpRequest) -> HttpResponse:
    """All sitemaps of all languages."""
    return _xml("sitemap_index", {"files": sitemaps.files()})


@require_safe
@cached_page
def sitemap(request: HttpRequest, language: str, number: int | None = None) -> HttpResponse:
    """A language's lists or, with a number, a part of its articles."""
    if number is None:
        return _xml("sitemap", {"entries": sitemaps.lists(language)})
    return _xml("sitemap", {"entries": sitemaps.articles(language, number)})


@require_safe
def news(request: HttpRequest, language: str) -> HttpResponse:
    """A language's texts of the last two days. Not stored: they age by themselves."""
    found = sitemaps.news(language, timezone.now())
    context = {"news": found, "language": language, "publication": sitemaps.publication()}
    return with_etag(_xml("news", context))


@require_safe
@cached_page
def share_picture(request: HttpRequest, language: str, pk: int, version: str) -> HttpResponse:
    """As the text is now: any other version leads there. None of a text that is not public."""
    public = Article.objects.in_language(language).select_related("topic")
    found = get_object_or_404(public, pk=pk)
    path = social_metadata.picture_path(found, language)
    if request.path_info != path:
        return redirect(path)
    words = social_metadata.words_of(found, language)
    response = _answer(share_image.draw(words), "image/png")
    # It is made for other sites' pages.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _xml(template: str, context: Mapping[str, object]) -> HttpResponse:
    text = render_to_string(f"articles/xml/{template}.xml", context)
    response = _answer(text.encode(), XML)
    # The pages that it names are to be found, not the file.
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _answer(
    body: bytes, content_type: str, *, changed_at: dt.datetime | None = None
) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type)
    if changed_at is not None:
        response.headers["Last-Modified"] = http_date(int(changed_at.timestamp()))
    return response
