"""The barometer's page and its data files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from articles.models import Topic
from articles.public import barometer, selectors
from articles.public.barometer_data import as_csv, as_json
from articles.public.page_cache import cached_page

TOPICS_PER_PAGE = 12
FORMATS: dict[str, tuple[str, Callable[[barometer.Barometer], str]]] = {
    "csv": ("text/csv; charset=utf-8; header=present", as_csv),
    "json": ("application/json", as_json),
}


@require_safe
@cached_page
def year(
    request: HttpRequest, language: str, year: int | None = None, page: int = 1
) -> HttpResponse:
    """A year, by default the newest; 404 for a year without a verdict. Paginated by topic."""
    years = barometer.years_with_verdicts()
    _check_year(year, years)
    shown = year or next(iter(years), None)
    context: dict[str, Any] = {"years": years}
    if shown is None:
        context["alternates"] = selectors.alternates("barometer", language)
    else:
        topics = selectors.get_page(
            Paginator(barometer.topics_with_verdicts(shown), TOPICS_PER_PAGE), page
        )
        # A withdrawal between two queries may leave a year empty.
        found = barometer.build_barometer(language, shown, list(topics))
        context["barometer"] = found if found.rows else None
        context["topic_pages"] = _topic_pages(topics, language, shown)
        context["alternates"] = selectors.alternates("barometer", language, shown, page=page)
    return render(request, "articles/barometer.html", context)


@require_safe
@cached_page
def data(
    request: HttpRequest, language: str, file_format: str, year: int | None = None
) -> HttpResponse:
    """As a file; of all years by default."""
    if year is not None:
        _check_year(year, barometer.years_with_verdicts())
    content_type, serialize = FORMATS[file_format]
    response = HttpResponse(serialize(barometer.build_barometer(language, year)), content_type)
    name = f"barometer-{year or 'all'}-{language}.{file_format}"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def _topic_pages(shown: Page[Topic], language: str, year: int) -> list[tuple[int, str, bool]]:
    """Number, path and whether it is the current page; empty for a single page."""
    if not shown.has_other_pages():
        return []
    return [
        (number, selectors.page_path(number, "barometer", language, year), number == shown.number)
        for number in shown.paginator.page_range
    ]


def _check_year(year: int | None, years: list[int]) -> None:
    if year is not None and year not in years:
        raise Http404
