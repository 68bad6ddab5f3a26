"""Sitemaps: every page in a language, and where the same stands in the others.

Django's own take the host from the request, which may be a mirror's, and hold that each page
exists in each language. A file's addresses all begin with its language, as the protocol wants.
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

from articles.models import ArticleLanguage, Masthead, Page
from articles.models.languages import ArticleLanguageQuerySet
from articles.public import barometer
from articles.text import sanitizer
from core import languages
from keys import tokens

IN_A_FILE = 1000
"""Articles. The protocol's bounds are 50,000 and 50 MB; these take 2 MB at their longest."""
NEWS_AGE = dt.timedelta(days=2)
MOST_NEWS = 1000
"""As Google's extension for news wants."""
LISTED_BY = {
    "week": "article__week",
    "topic": "article__topic__code",
    "author": "article__authors__code",
}
"""What each kind of list is a list of, by its view."""


@dataclass(frozen=True)
class Entry:
    """A page: addresses are absolute, and `alternates` names its own language too."""

    address: str
    changed_at: dt.datetime | None
    alternates: list[tuple[str, str]]


@dataclass(frozen=True)
class News:
    """A text of the last two days."""

    address: str
    title: str
    published_at: dt.datetime | None


@dataclass(frozen=True)
class File:
    """A sitemap, in the index."""

    address: str
    changed_at: dt.datetime | None


def files() -> list[File]:
    """Those of all languages in which there is something."""
    public = ArticleLanguage.objects.public().of_living_articles()
    rows = public.values("language").annotate(texts=Count("pk"), newest=Max("changed_at"))
    found = {row["language"]: row for row in rows.order_by()}
    listed = []
    for code in languages.codes():
        if code not in found:
            continue
        newest, numbers = found[code]["newest"], -(-found[code]["texts"] // IN_A_FILE)
        listed.append(File(tokens.absolute("sitemap", code), newest))
        listed += [
            File(tokens.absolute("sitemap", code, number), None if numbers > 1 else newest)
            for number in range(1, numbers + 1)
        ]
    return listed


def lists(language: str) -> list[Entry]:
    """The pages that list articles, the barometer's years and the pages that stand for years."""
    public = ArticleLanguage.objects.public().of_living_articles().order_by()
    everything = dict(public.values_list("language").annotate(newest=Max("changed_at")))
    entries = [_entry(view, language, everything) for view in ("home", "weeks")]
    for view, column in LISTED_BY.items():
        rows = public.filter(**{f"{column}__isnull": False}).order_by(column)
        grouped = rows.values_list(column, "language").annotate(newest=Max("changed_at"))
        found: dict[object, dict[str, dt.datetime]] = {}
        for key, code, newest in grouped:
            found.setdefault(key, {})[code] = newest
        entries += [_entry(view, language, newest, key) for key, newest in found.items()]
    entries += [_barometer(language, year) for year in barometer.years()]
    entries += [_standing(page, language) for page in Page.objects.with_titles()]
    return [entry for entry in entries if entry is not None]


def _barometer(language: str, year: int) -> Entry:
    """A year's page is there in every language."""
    paths = {code: reverse("barometer", args=[code, year]) for code in languages.codes()}
    return _with_alternates(paths, language, None, list(paths))


def _standing(page: Page, language: str) -> Entry | None:
    written = page.written_in
    if language not in written:
        return None
    paths = {code: page.path_in(code) for code in written}
    return _with_alternates(paths, language, page.changed_in(language), written)


def _entry(view: str, language: str, newest: dict[str, dt.datetime], *args: object) -> Entry | None:
    """None where the list has nothing in that language: no search is to lead there."""
    if language not in newest:
        return None
    paths = {code: reverse(view, args=[code, *args]) for code in languages.codes()}
    return _with_alternates(paths, language, newest[language], list(newest))


def _with_alternates(
    paths: dict[str, str], language: str, changed_at: dt.datetime | None, public: list[str]
) -> Entry:
    there = [code for code in languages.codes() if code in public]
    alternates = [(code, settings.SITE_URL + paths[code]) for code in there]
    return Entry(settings.SITE_URL + paths[language], changed_at, alternates)


def articles(language: str, number: int) -> list[Entry]:
    """One file of articles in a language, oldest first, so that a file changes little.

    Raises Http404.
    """
    try:
        rows = Paginator(_texts(language).order_by("article_id"), IN_A_FILE).page(number)
    except EmptyPage:
        raise Http404 from None
    entries = []
    for row in rows:
        public = row.article.public_languages
        paths = {code: row.article.path_in(code) for code in public}
        entries.append(_with_alternates(paths, language, row.changed_at, public))
    return entries


def news(language: str, now: dt.datetime) -> list[News]:
    """What came out in a language in the last two days, newest first."""
    rows = _texts(language).filter(published_at__gt=now - NEWS_AGE, published_at__lte=now)
    return [
        News(
            settings.SITE_URL + row.article.path_in(language),
            sanitizer.for_xml(getattr(row.article, f"title_{language}")),
            row.published_at,
        )
        for row in rows.order_by("-published_at", "-article_id")[:MOST_NEWS]
    ]


def _texts(language: str) -> ArticleLanguageQuerySet:
    """A language's public texts with what an address is made of, and without the bodies."""
    titles = [f"article__title_{code}" for code in languages.codes()]
    public = ArticleLanguage.objects.public().of_living_articles().filter(language=language)
    return (
        public.select_related("article")
        .only("language", "published_at", "changed_at", "article__withdrawn_at", *titles)
        .prefetch_related("article__article_languages")
    )


def publication() -> str:
    """The newsroom's name in the language of the moment."""
    return sanitizer.for_xml(Masthead.current().name or _("Newsroom"))
