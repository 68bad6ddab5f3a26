"""Redirects from the URLs that articles had on the newsroom's old site."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase

from articles import old_paths
from articles.models import Article
from core import languages
from core.http import is_admin_request, language_from_path


class OldPathRedirectMiddleware:
    """Handles 404 responses only, so an old path never hides a page.

    Redirects to a path, so never to another site, and never in a loop, since an article's path is
    never 404.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 404 or request.method not in {"GET", "HEAD"}:
            return response
        if is_admin_request(request):
            return response
        path = redirect_target(request)
        return HttpResponsePermanentRedirect(path) if path else response


def redirect_target(request: HttpRequest) -> str | None:
    """The article's path in the nearest public language.

    A withdrawn article redirects to its page, which says so; a draft does not redirect.
    """
    candidates = old_paths.lookup_candidates(
        request.path_info, request.META.get("QUERY_STRING", "")
    )
    found = {
        article.old_path: article
        for article in Article.objects.filter(old_path__in=candidates).with_related()
    }
    article = next((found[path] for path in candidates if path in found), None)
    if article is None or article.first_published_at() is None:
        return None
    nearest = languages.preference_order(language_from_path(request))
    public = article.public_languages
    path: str = article.path_in(next((code for code in nearest if code in public), nearest[0]))
    return path
