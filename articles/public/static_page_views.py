"""The view of static pages."""

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
    """In a language without a text it links to those that have one."""
    found = get_object_or_404(Page, code=code)
    if not found.written_in:
        raise Http404
    context = {
        "alternates": selectors.alternates("page", language, code, public=found.written_in),
        "title": found.title_in(language),
        "body": found.body_in(language),
        "changed_at": found.changed_in(language),
    }
    is_written = language in found.written_in
    template = "static_page" if is_written else "not_translated"
    return render(request, f"articles/{template}.html", context)
