"""The pages that stand for years."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from articles.models import Page
from articles.public import selectors
from articles.public.page_cache import cached_page


@require_safe
@cached_page
def page(request: HttpRequest, language: str, code: str) -> HttpResponse:
    """In a language that it is not written in, it says in which it is."""
    found = get_object_or_404(Page, code=code)
    if not found.written_in:
        raise Http404
    context = {
        "alternates": selectors.alternates("page", language, code, public=found.written_in),
        "title": found.title_in(language),
        "body": found.body_in(language),
        "changed_at": found.changed_in(language),
    }
    missing = language not in found.written_in
    return render(request, f"articles/{'missing' if missing else 'page'}.html", context)
