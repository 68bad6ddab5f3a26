"""Sitemaps by language, with hreflang alternates.

Not django.contrib.sitemaps: it takes the host from the request, which may be a mirror's, and
assumes that each page exists in each language. All URLs of a file begin with its language, as the
protocol demands.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.core.paginator import EmptyPage, Paginator
from django.db.models import Count, Max
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _

from articles.models import ArticleLanguage, Page, SiteSettings
from articles.models.languages import ArticleLanguageQuerySet
from articles.public import barometer
from articles.text import sanitizer
from core import languages
from keys import tokens

URLS_PER_SITEMAP = 1000
"""Of articles, 2 MB at most; the protocol's limits are 50,000 and 50 MB."""
NEWS_MAX_AGE = dt.timedelta(days=2)
MAX_NEWS = 1000
"""The limits of Google News sitemaps."""
LISTING_COLUMNS = {
    "week": "article__week",
    "topic": "article__topic__code",
    "author": "article__authors__code",
}
"""The lookup that each list view lists articles by."""


@dataclass(frozen=True)
class Entry:
    """A page. URLs are absolute; `alternates` includes the page's own language."""

    loc: str
    lastmod: dt.datetime | None
    alternates: list[tuple[str, str]]


@dataclass(frozen=True)
class NewsEntry:
    """An article of the last two days."""

    loc: str
    title: str
    published_at: dt.datetime | None


@dataclass(frozen=True)
class SitemapFile:
    """A sitemap in the index."""

    loc: str
    lastmod: dt.datetime | None


def sitemap_files() -> list[SitemapFile]:
    """Those of all languages with public texts."""
    public = ArticleLanguage.objects.public().article_not_withdrawn()
    rows = public.values("language").annotate(texts=Count("pk"), newest=Max("changed_at"))
    found = {row["language"]: row for row in rows.order_by()}
    listed = []
    for code in languages.codes():
        if code not in found:
            continue
        newest, numbers = found[code]["newest"], -(-found[code]["texts"] // URLS_PER_SITEMAP)
        listed.append(SitemapFile(tokens.absolute_url("sitemap", code), newest))
        listed += [
            SitemapFile(
                tokens.absolute_url("sitemap", code, number), None if numbers > 1 else newest
            )
            for number in range(1, numbers + 1)
        ]
    return listed


def page_entries(language: str) -> list[Entry]:
    """The list pages, the barometer's years and the static pages."""
    public = ArticleLanguage.objects.public().article_not_withdrawn().order_by()
    everything = dict(public.values_list("language").annotate(newest=Max("changed_at")))
    entries = [_entry(view, language, everything) for view in ("home", "weeks")]
    for view, column in LISTING_COLUMNS.items():
        rows = public.filter(**{f"{column}__isnull": False}).order_by(column)
        grouped = rows.values_list(column, "language").annotate(newest=Max("changed_at"))
        found: dict[object, dict[str, dt.datetime]] = {}
        for key, code, newest in grouped:
            found.setdefault(key, {})[code] = newest
        entries += [_entry(view, language, newest, key) for key, newest in found.items()]
    entries += [_barometer(language, year) for year in barometer.years_with_verdicts()]
    entries += [_static_page(page, language) for page in Page.objects.with_titles()]
    return [entry for entry in entries if entry is not None]


def _barometer(language: str, year: int) -> Entry:
    """A year's page, which every language has."""
    paths = {code: reverse("barometer", args=[code, year]) for code in languages.codes()}
    return _with_alternates(paths, language, None, list(paths))


def _static_page(page: Page, language: str) -> Entry | None:
    written = page.written_in
    if language not in written:
        return None
    paths = {code: page.path_in(code) for code in written}
    return _with_alternates(paths, language, page.changed_in(language), written)


def _entry(view: str, language: str, newest: dict[str, dt.datetime], *args: object) -> Entry | None:
    """None where the list is empty in that language."""
    if language not in newest:
        return None
    paths = {code: reverse(view, args=[code, *args]) for code in languages.codes()}
    return _with_alternates(paths, language, newest[language], list(newest))


def _with_alternates(
    paths: dict[str, str], language: str, lastmod: dt.datetime | None, public: list[str]
) -> Entry:
    available = [code for code in languages.codes() if code in public]
    alternates = [(code, settings.SITE_URL + paths[code]) for code in available]
    return Entry(settings.SITE_URL + paths[language], lastmod, alternates)


def article_entries(language: str, number: int) -> list[Entry]:
    """One file of articles in a language, oldest first, so that full files stay. Raises Http404."""
    try:
        rows = Paginator(_texts(language).order_by("article_id"), URLS_PER_SITEMAP).page(number)
    except EmptyPage:
        raise Http404 from None
    entries = []
    for row in rows:
        public = row.article.public_languages
        paths = {code: row.article.path_in(code) for code in public}
        entries.append(_with_alternates(paths, language, row.changed_at, public))
    return entries


def news_entries(language: str, now: dt.datetime) -> list[NewsEntry]:
    """Published in the last two days, newest first."""
    rows = _texts(language).filter(published_at__gt=now - NEWS_MAX_AGE, published_at__lte=now)
    return [
        NewsEntry(
            settings.SITE_URL + row.article.path_in(language),
            sanitizer.without_invalid_xml(getattr(row.article, f"title_{language}")),
            row.published_at,
        )
        for row in rows.order_by("-published_at", "-article_id")[:MAX_NEWS]
    ]


def _texts(language: str) -> ArticleLanguageQuerySet:
    """A language's public texts with the columns of their URLs, without the bodies."""
    titles = [f"article__title_{code}" for code in languages.codes()]
    public = ArticleLanguage.objects.public().article_not_withdrawn().filter(language=language)
    return (
        public.select_related("article")
        .only("language", "published_at", "changed_at", "article__withdrawn_at", *titles)
        .prefetch_related("article__article_languages")
    )


def publication_name() -> str:
    """The newsroom's name in the active language."""
    return sanitizer.without_invalid_xml(SiteSettings.current().name or _("Newsroom"))
