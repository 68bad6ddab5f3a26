"""What readers' pages show, asked for in a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import EmptyPage, Page, Paginator
from django.db.models import Count
from django.http import Http404
from django.urls import reverse

from articles.models import (
    Article,
    ArticleLanguage,
    ArticleText,
    Author,
    Correction,
    Digest,
    Topic,
)
from articles.models.articles import ArticleQuerySet, ListedArticle
from core import languages
from core.fragment_cache import cached_fragment
from core.languages import InLanguage
from core.weeks import Week

ON_A_PAGE = 20
RELATED = 4
EARLIER = 3
"""Weeks, below the newest on the first page."""


def items(articles: list[Article], language: str) -> list[ListedArticle]:
    """Every article that has any public language, each in the nearest to the page's."""
    preferences = languages.nearest_first(language)
    texts = ((article, article.public_text(preferences)) for article in articles)
    return [
        ListedArticle(text.language, language, article, text) for article, text in texts if text
    ]


@dataclass(frozen=True)
class WeekPage:
    """A week's articles, in the order of its digest if there is an approved one."""

    week: Week
    introduction: str
    items: list[ListedArticle]


def week_page(week: Week, language: str) -> WeekPage | None:
    """None for a week in which nothing is public."""
    digest = Digest.objects.filter(week=week).first()
    published = list(Article.objects.public().of_week(week).in_topic_order().with_languages())
    introduction = ""
    if digest is not None and digest.is_approved:
        introduction = digest.introduction_in(language)
        chosen = digest.ordered_articles()
        published = chosen + [article for article in published if article not in chosen]
    shown = items(published, language)
    return WeekPage(week, introduction, shown) if shown else None


def languages_of(articles: ArticleQuerySet, *, page: int = 1, listed: str = "article") -> list[str]:
    """In which there is something to read among these, on that page of their list.

    `listed` is what the list counts: articles, or their weeks.
    """
    rows = ArticleLanguage.objects.public().filter(article__in=articles.not_withdrawn())
    counted = rows.values("language").annotate(entries=Count(listed, distinct=True)).order_by()
    counts = dict(counted.values_list("language", "entries"))
    before = (page - 1) * ON_A_PAGE
    return [code for code in languages.codes() if counts.get(code, 0) > before]


def newest_week(language: str) -> Week | None:
    """The newest in which there is something to read in this language."""
    weeks = Article.objects.in_language(language).of_any_week()
    newest: Week | None = weeks.order_by("-week").values_list("week", flat=True).first()
    return newest


def latest(language: str, *, before: Week) -> list[ListedArticle]:
    """The weeks that came before one, newest first, in this language only."""
    older = Article.objects.in_language(language).filter(week__lt=before)
    weeks = older.order_by("-week").values("week").distinct()[:EARLIER]
    return items(list(older.filter(week__in=weeks).newest_first().with_languages()), language)


def newest_of_topic(topic: Topic, language: str) -> list[ListedArticle]:
    """In this language: as many as an article shows below it, and one, which may be itself."""
    newest = Article.objects.in_language(language).filter(topic=topic).newest_first()
    return items(list(newest.with_languages()[: RELATED + 1]), language)


def page_of_topic(topic: Topic, language: str, number: int) -> Page[Article]:
    """A topic's articles in this language, newest first. Raises Http404."""
    articles = Article.objects.in_language(language).filter(topic=topic)
    return page_of(Paginator(articles.newest_first().with_languages(), ON_A_PAGE), number)


def page_of_author(author: Author, language: str, number: int) -> Page[Article]:
    """What they signed in this language, newest first. Raises Http404."""
    articles = Article.objects.in_language(language).filter(authors=author)
    return page_of(Paginator(articles.newest_first().with_languages(), ON_A_PAGE), number)


def page_of_weeks(language: str, number: int) -> Page[Week]:
    """All weeks with something to read in this language, newest first. Raises Http404."""
    weeks = (
        Article.objects.in_language(language)
        .of_any_week()
        .order_by("-week")
        .values_list("week", flat=True)
        .distinct()
    )
    return page_of(Paginator(weeks, ON_A_PAGE), number)


@dataclass(frozen=True)
class Pager:
    """The way to the pages of a list beside the one shown; empty where there is none."""

    number: int
    last: int
    newer: str
    older: str


def pager(page: Page[Any], view: str, *args: object) -> Pager | None:
    """None for a list on one page."""
    if not page.has_other_pages():
        return None
    return Pager(
        page.number,
        page.paginator.num_pages,
        page_path(page.number - 1, view, *args) if page.has_previous() else "",
        page_path(page.number + 1, view, *args) if page.has_next() else "",
    )


def page_path(number: int, view: str, *args: object) -> str:
    """A list's first page has an address without a number."""
    return reverse(view, args=[*args, *([number] if number > 1 else [])])


def page_of(paginator: Paginator[Any], number: int) -> Page[Any]:
    """Raises Http404 for a page that there is not."""
    try:
        return paginator.page(number)
    except EmptyPage:
        raise Http404 from None


def corrections_of(article: Article, language: str) -> list[Correction]:
    """The public notes on one language of an article. Few articles have any."""
    every = Correction.objects.values_list("article_id", flat=True)
    if article.pk not in cached_fragment(("corrected articles",), lambda: frozenset(every)):
        return []
    return list(article.corrections.filter(language=language))


@dataclass(frozen=True)
class Note(InLanguage):
    """What an editor wrote to readers, in the page's language or the nearest there is."""

    text: str


def note_on_withdrawal(article: Article, language: str) -> Note | None:
    """Why a text is gone, if an editor said so."""
    rows = article.language_rows
    for code in languages.nearest_first(language):
        if code in article.gone_languages and rows[code].gone_note:
            return Note(code, language, rows[code].gone_note)
    return None


@dataclass(frozen=True)
class Alternate:
    """The same page in another language."""

    language: str
    name: str
    path: str
    """Empty where it was withdrawn: no link is dead."""
    is_current: bool
    is_there: bool


def alternates(
    view: str, language: str, *args: object, public: list[str] | None = None, page: int = 1
) -> list[Alternate]:
    """For the switcher, which stays on the page: only the path's first segment changes.

    `public` names the languages in which the page has its text; all of them without it.
    Where a list has no such `page`, its first one is offered, since a 404 helps nobody.
    """
    there = languages.codes() if public is None else public
    paths = {
        code: reverse(view, args=[code, *args, *([page] if code in there and page > 1 else [])])
        for code in languages.codes()
    }
    return alternates_at(paths, language, there)


def alternates_at(paths: dict[str, str], language: str, public: list[str]) -> list[Alternate]:
    """The same at these addresses, one for each language."""
    return [
        Alternate(code, languages.own_name(code), path, code == language, code in public)
        for code, path in paths.items()
    ]


def preview_page(
    article: Article, text: ArticleText, language: str, paths: dict[str, str]
) -> dict[str, Any]:
    """An article's page before it is public; `paths` leads to the same in each language."""
    there = [one.language for one in article.texts()]
    return {
        "article": article,
        "text": text,
        "alternates": alternates_at(paths, language, there),
        "authors": list(article.authors.all()),
        "corrections": article.corrections.filter(language=language),
    }
