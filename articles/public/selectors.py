"""Queries of the public pages; each page takes a fixed number of them."""

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
from core.languages import LocalizedContent
from core.weeks import Week

PAGE_SIZE = 20
MAX_RELATED = 4
EARLIER_WEEKS = 3
"""On the home page, below the newest week."""


def items(articles: list[Article], language: str) -> list[ListedArticle]:
    """The articles with a public text, each in the language nearest to the page's."""
    preferences = languages.preference_order(language)
    texts = ((article, article.public_text(preferences)) for article in articles)
    return [
        ListedArticle(text.language, language, article, text) for article, text in texts if text
    ]


@dataclass(frozen=True)
class WeekPage:
    """A week's articles, in the order of its approved digest, if any."""

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


def languages_with(
    articles: ArticleQuerySet, *, page: int = 1, listed: str = "article"
) -> list[str]:
    """The languages that have such a page of the list. `listed` is what it lists: the lookup."""
    rows = ArticleLanguage.objects.public().filter(article__in=articles.not_withdrawn())
    counted = rows.values("language").annotate(entries=Count(listed, distinct=True)).order_by()
    counts = dict(counted.values_list("language", "entries"))
    before = (page - 1) * PAGE_SIZE
    return [code for code in languages.codes() if counts.get(code, 0) > before]


def newest_week(language: str) -> Week | None:
    """The newest with a public text in this language."""
    weeks = Article.objects.in_language(language).with_valid_week()
    newest: Week | None = weeks.order_by("-week").values_list("week", flat=True).first()
    return newest


def earlier_weeks(language: str, *, before: Week) -> list[ListedArticle]:
    """Articles of the weeks before, newest first, in this language only."""
    older = Article.objects.in_language(language).filter(week__lt=before)
    weeks = older.order_by("-week").values("week").distinct()[:EARLIER_WEEKS]
    return items(list(older.filter(week__in=weeks).newest_first().with_languages()), language)


def newest_of_topic(topic: Topic, language: str) -> list[ListedArticle]:
    """In this language: MAX_RELATED and one more, which may be the article itself."""
    newest = Article.objects.in_language(language).filter(topic=topic).newest_first()
    return items(list(newest.with_languages()[: MAX_RELATED + 1]), language)


def topic_page(topic: Topic, language: str, number: int) -> Page[Article]:
    """A topic's articles in this language, newest first. Raises Http404."""
    articles = Article.objects.in_language(language).filter(topic=topic)
    return get_page(Paginator(articles.newest_first().with_languages(), PAGE_SIZE), number)


def author_page(author: Author, language: str, number: int) -> Page[Article]:
    """An author's articles in this language, newest first. Raises Http404."""
    articles = Article.objects.in_language(language).filter(authors=author)
    return get_page(Paginator(articles.newest_first().with_languages(), PAGE_SIZE), number)


def weeks_page(language: str, number: int) -> Page[Week]:
    """All weeks with a public text in this language, newest first. Raises Http404."""
    weeks = (
        Article.objects.in_language(language)
        .with_valid_week()
        .order_by("-week")
        .values_list("week", flat=True)
        .distinct()
    )
    return get_page(Paginator(weeks, PAGE_SIZE), number)


@dataclass(frozen=True)
class Pager:
    """Paths of the newer and the older page; empty where there is none."""

    number: int
    num_pages: int
    newer: str
    older: str


def pager(page: Page[Any], view: str, *args: object) -> Pager | None:
    """None for a list of one page."""
    if not page.has_other_pages():
        return None
    return Pager(
        page.number,
        page.paginator.num_pages,
        page_path(page.number - 1, view, *args) if page.has_previous() else "",
        page_path(page.number + 1, view, *args) if page.has_next() else "",
    )


def page_path(number: int, view: str, *args: object) -> str:
    """The first page has no number in its path."""
    return reverse(view, args=[*args, *([number] if number > 1 else [])])


def get_page(paginator: Paginator[Any], number: int) -> Page[Any]:
    """Raises Http404 for a page out of range."""
    try:
        return paginator.page(number)
    except EmptyPage:
        raise Http404 from None


def get_corrections(article: Article, language: str) -> list[Correction]:
    """The public corrections of one language. Few articles have any, so those are cached."""
    every = Correction.objects.values_list("article_id", flat=True)
    if article.pk not in cached_fragment(("corrected articles",), lambda: frozenset(every)):
        return []
    return list(article.corrections.filter(language=language))


@dataclass(frozen=True)
class WithdrawalNote(LocalizedContent):
    """An editor's public note, in the nearest language."""

    text: str


def withdrawal_note(article: Article, language: str) -> WithdrawalNote | None:
    """Why a text was withdrawn, if an editor wrote it."""
    rows = article.language_rows
    for code in languages.preference_order(language):
        if code in article.gone_languages and rows[code].gone_note:
            return WithdrawalNote(code, language, rows[code].gone_note)
    return None


@dataclass(frozen=True)
class Alternate:
    """The same page in another language."""

    language: str
    name: str
    path: str
    """Empty where it was withdrawn."""
    is_current: bool
    is_available: bool


def alternates(
    view: str, language: str, *args: object, public: list[str] | None = None, page: int = 1
) -> list[Alternate]:
    """For the language switcher and hreflang: the same page in each language.

    `public` has the languages in which the page is available; default: all. For the others the
    list's first page is linked.
    """
    available = languages.codes() if public is None else public
    paths = {
        code: reverse(view, args=[code, *args, *([page] if code in available and page > 1 else [])])
        for code in languages.codes()
    }
    return alternates_from_paths(paths, language, available)


def alternates_from_paths(
    paths: dict[str, str], language: str, public: list[str]
) -> list[Alternate]:
    """Like `alternates`, with given paths by language."""
    return [
        Alternate(code, languages.native_name(code), path, code == language, code in public)
        for code, path in paths.items()
    ]


def preview_context(
    article: Article, text: ArticleText, language: str, paths: dict[str, str]
) -> dict[str, Any]:
    """The template context of a preview; `paths` has its path in each language."""
    available = [one.language for one in article.texts()]
    return {
        "article": article,
        "text": text,
        "alternates": alternates_from_paths(paths, language, available),
        "authors": list(article.authors.all()),
        "corrections": article.corrections.filter(language=language),
    }
