"""The search form, which posts, and the results page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from articles.public import selectors
from articles.public.forms import SearchForm
from articles.public.page_cache import private_response
from articles.search import encrypted_query
from articles.search.encrypted_query import SearchExpired, SearchInput
from articles.search.query import search as find_articles
from keys.tokens import InvalidToken

TEMPLATE = "articles/search.html"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HttpRequest, language: str) -> HttpResponse:
    """The form. Redirects to a URL with the encrypted query (POST/redirect/GET).

    CSRF-exempt, since tokens need a cookie and a search changes nothing. The form posts, so that no
    URL holds the words; a GET with `q` works too.
    """
    data = request.POST if request.method == "POST" else request.GET
    form = SearchForm(data if "q" in data else None, language=language)
    if form.is_valid():
        encrypted = encrypted_query.encrypt_query(form.search_input(), timezone.now())
        path = reverse("search_results", args=[language, encrypted])
        return private_response(HttpResponseRedirect(path, status=303))
    context = {
        "form": form,
        "is_indexable": not form.is_bound,
        "alternates": selectors.alternates("search", language),
    }
    if not form.is_bound:
        return render(request, TEMPLATE, context)
    return private_response(render(request, TEMPLATE, context, status=400))


@require_safe
def results(request: HttpRequest, language: str, encrypted: str, page: int = 1) -> HttpResponse:
    """One page of hits. 410 once the query can no longer be decrypted."""
    now = timezone.now()
    try:
        search_input = encrypted_query.decrypt_query(encrypted, now)
    except InvalidToken:
        raise Http404 from None
    except SearchExpired:
        form = SearchForm(language=language)
        alternates = selectors.alternates("search", language)
        context = {"form": form, "is_expired": True, "alternates": alternates}
        return private_response(render(request, TEMPLATE, context, status=410))
    form = SearchForm(search_input._asdict(), language=language)
    # Other languages get the words without the filters, which may not exist there.
    words_only = encrypted_query.encrypt_query(SearchInput(search_input.q, "", ""), now)
    alternates = selectors.alternates("search_results", language, words_only)
    context = {"form": form, "is_indexable": False, "alternates": alternates}
    query = form.search_query() if form.is_valid() else None
    if query is not None:
        found = find_articles(query, page)
        context |= {
            "is_filtered": bool(query.topic or query.year),
            "results": found,
            "pager": selectors.pager(found.page, "search_results", language, encrypted),
        }
    return private_response(render(request, TEMPLATE, context, status=400 if form.errors else 200))
