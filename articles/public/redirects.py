"""Whoever comes by the address that an article had elsewhere is led to the one it has here."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase

from articles import old_paths
from articles.models import Article
from core import languages
from core.http import is_staff_page, of_path


class OldPaths:
    """Asks only about what would be 404, so no old path stands in the way of a page.

    It leads to a page of ours by its path alone: to no other site, and never in a circle, since
    an article's own address is never 404.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 404 or request.method not in {"GET", "HEAD"}:
            return response
        if is_staff_page(request):
            return response
        path = new_path(request)
        return HttpResponsePermanentRedirect(path) if path else response


def new_path(request: HttpRequest) -> str | None:
    """Where what stood at this address is now, in the nearest language that it can be read in.

    An article that was withdrawn has its address still, which says so. A draft has none.
    """
    kept = old_paths.looked_up(request.path_info, request.META.get("QUERY_STRING", ""))
    found = {
        article.old_path: article
        for article in Article.objects.filter(old_path__in=kept).with_everything()
    }
    article = next((found[path] for path in kept if path in found), None)
    if article is None or article.first_published_at() is None:
        return None
    nearest = languages.nearest_first(of_path(request))
    public = article.public_languages
    path: str = article.path_in(next((code for code in nearest if code in public), nearest[0]))
    return path
