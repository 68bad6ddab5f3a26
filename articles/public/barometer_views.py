"""The barometer's page, and its data."""

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

TOPICS_ON_A_PAGE = 12
FORMATS: dict[str, tuple[str, Callable[[barometer.Barometer], str]]] = {
    "csv": ("text/csv; charset=utf-8; header=present", as_csv),
    "json": ("application/json", as_json),
}


@require_safe
@cached_page
def year(
    request: HttpRequest, language: str, year: int | None = None, page: int = 1
) -> HttpResponse:
    """A year; without one the newest that there is. A year without a verdict is no page.

    A newsroom with many topics has them on several pages, since each is a row and a column.
    """
    years = barometer.years()
    _must_be_there(year, years)
    shown = year or next(iter(years), None)
    context: dict[str, Any] = {"years": years}
    if shown is None:
        context["alternates"] = selectors.alternates("barometer", language)
    else:
        topics = selectors.page_of(Paginator(barometer.topics_of(shown), TOPICS_ON_A_PAGE), page)
        # A withdrawal between two queries may leave a year empty.
        found = barometer.barometer(language, shown, list(topics))
        context["barometer"] = found if found.rows else None
        context["topic_pages"] = _pages_of_topics(topics, language, shown)
        context["alternates"] = selectors.alternates("barometer", language, shown, page=page)
    return render(request, "articles/barometer.html", context)


@require_safe
@cached_page
def data(request: HttpRequest, language: str, form: str, year: int | None = None) -> HttpResponse:
    """The same as a file; of all years without one."""
    if year is not None:
        _must_be_there(year, barometer.years())
    content_type, written = FORMATS[form]
    response = HttpResponse(written(barometer.barometer(language, year)), content_type)
    name = f"barometer-{year or 'all'}-{language}.{form}"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def _pages_of_topics(shown: Page[Topic], language: str, year: int) -> list[tuple[int, str, bool]]:
    """Number, address and whether it is the one shown; none where one page has them all."""
    if not shown.has_other_pages():
        return []
    return [
        (number, selectors.page_path(number, "barometer", language, year), number == shown.number)
        for number in shown.paginator.page_range
    ]


def _must_be_there(year: int | None, years: list[int]) -> None:
    if year is not None and year not in years:
        raise Http404
