"""The readers' search: the form, which asks with a POST, and the page of what was found."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from articles.public import selectors
from articles.public.forms import SearchForm
from articles.public.page_cache import private_page
from articles.search import encrypted_query
from articles.search import query as searching
from articles.search.encrypted_query import Asked, SearchOver
from keys.tokens import BadToken

TEMPLATE = "articles/search.html"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HttpRequest, language: str) -> HttpResponse:
    """The form. What it asks has an address of its own, to which a browser can go back.

    Exempt from CSRF tokens, which would need a cookie: a search changes nothing. The form posts,
    so that no address says what somebody looks for; a link with words in it works all the same.
    """
    asked = request.POST if request.method == "POST" else request.GET
    form = SearchForm(asked if "q" in asked else None, language=language)
    if form.is_valid():
        token = encrypted_query.make_token(form.asked(), timezone.now())
        path = reverse("found", args=[language, token])
        return private_page(HttpResponseRedirect(path, status=303))
    context = {
        "form": form,
        "is_listed": not form.is_bound,
        "alternates": selectors.alternates("search", language),
    }
    if not form.is_bound:
        return render(request, TEMPLATE, context)
    return private_page(render(request, TEMPLATE, context, status=400))


@require_safe
def found(request: HttpRequest, language: str, sealed: str, page: int = 1) -> HttpResponse:
    """What was found, for as long as the address can be read."""
    now = timezone.now()
    try:
        asked = encrypted_query.read_token(sealed, now)
    except BadToken:
        raise Http404 from None
    except SearchOver:
        form = SearchForm(language=language)
        over = {"form": form, "over": True, "alternates": selectors.alternates("search", language)}
        return private_page(render(request, TEMPLATE, over, status=410))
    form = SearchForm(asked._asdict(), language=language)
    # In another language the same words are searched, but not every topic or year is there.
    words = encrypted_query.make_token(Asked(asked.q, "", ""), now)
    alternates = selectors.alternates("found", language, words)
    context: dict[str, Any] = {"form": form, "is_listed": False, "alternates": alternates}
    query = form.query() if form.is_valid() else None
    if query is not None:
        results = searching.search(query, page)
        context |= {
            "is_narrowed": bool(query.topic or query.year),
            "results": results,
            "pager": selectors.pager(results.page, "found", language, sealed),
        }
    return private_page(render(request, TEMPLATE, context, status=400 if form.errors else 200))
