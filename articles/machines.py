"""What programs fetch: feeds, sitemaps, the pictures beside shared links.

Everything has an ETag of its bytes, and may be kept but not used without asking: what is
withdrawn is gone with the next question.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date, quote_etag
from django.views.decorators.http import require_safe

from articles import cards, feeds, sitemaps
from articles.feeds import Feed
from articles.models import Article, Topic
from newsroom import share_pictures

ATOM = "application/atom+xml; charset=utf-8"
XML = "application/xml; charset=utf-8"


@require_safe
def feed(request: HttpRequest, language: str, code: str = "", page: int = 1) -> HttpResponseBase:
    """A language's texts or, with a topic's code, that topic's; newest change first."""
    topic = get_object_or_404(Topic, code=code) if code else None
    # Asked first: whatever changes meanwhile is new to whoever comes with this date.
    changed_at = feeds.last_modified(language)
    body = feeds.as_atom(Feed(language, topic, page))
    return _answer(request, body, ATOM, changed_at=changed_at)


@require_safe
def sitemap_index(request: HttpRequest) -> HttpResponseBase:
    """All sitemaps of all languages."""
    return _xml(request, "sitemap_index", {"files": sitemaps.files()})


@require_safe
def sitemap(request: HttpRequest, language: str, number: int | None = None) -> HttpResponseBase:
    """A language's lists or, with a number, a part of its articles."""
    if number is None:
        return _xml(request, "sitemap", {"entries": sitemaps.lists(language)})
    return _xml(request, "sitemap", {"entries": sitemaps.articles(language, number)})


@require_safe
def news(request: HttpRequest, language: str) -> HttpResponseBase:
    """A language's texts of the last two days."""
    found = sitemaps.news(language, timezone.now())
    context = {"news": found, "language": language, "publication": sitemaps.publication()}
    return _xml(request, "news", context)


@require_safe
def share_picture(request: HttpRequest, language: str, pk: int, version: str) -> HttpResponseBase:
    """As the text is now, whatever version is asked for; none of a text that is not public."""
    public = Article.objects.in_language(language).select_related("topic")
    words = cards.words_of(get_object_or_404(public, pk=pk), language)
    response = _answer(request, share_pictures.draw(words), "image/png")
    # It is made for other sites' pages.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _xml(request: HttpRequest, template: str, context: Mapping[str, object]) -> HttpResponseBase:
    text = render_to_string(f"articles/xml/{template}.xml", context)
    response = _answer(request, text.encode(), XML)
    # The pages that it names are to be found, not the file.
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _answer(
    request: HttpRequest, body: bytes, content_type: str, *, changed_at: dt.datetime | None = None
) -> HttpResponseBase:
    """The body, or only that nothing has changed."""
    response = HttpResponse(body, content_type=content_type)
    etag = quote_etag(hashlib.sha256(body).hexdigest()[:32])
    seconds = int(changed_at.timestamp()) if changed_at else None
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    if seconds is not None:
        response.headers["Last-Modified"] = http_date(seconds)
    return get_conditional_response(request, etag, seconds, response) or response
