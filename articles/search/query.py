"""The site's search: query, results, and highlighting.

Queries are neither stored nor logged. The form posts, so that no URL and no browser history holds
the words in clear; see encrypted_query.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

from django.core.paginator import Page, Paginator
from django.db.models import Max, Min
from django.http import Http404

from articles.models import Article, ArticleText, SearchEntry, Topic
from articles.models.articles import ListedArticle
from articles.models.search import SearchEntryQuerySet
from articles.search.stemming import WORD, stem, stems
from articles.text import sanitizer
from core.weeks import Week

EXCERPT_LENGTH, CONTEXT_LENGTH = 280, 80
"""Characters of an excerpt, and of its context before the first match."""
ELLIPSIS = "…"
PAGE_SIZE = 20
MAX_PAGE_NUMBER = 10**6
"""A larger one is 404 without a query."""


@dataclass(frozen=True)
class SearchQuery:
    """Words, and optional filters."""

    words: str
    language: str
    topic: Topic | None = None
    year: int | None = None

    @property
    def stems(self) -> list[str]:
        """Without duplicates; empty where only punctuation was typed."""
        return list(dict.fromkeys(stems(self.words, self.language)))


@dataclass(frozen=True)
class TextFragment:
    """A part of a text: a match, or the text between two."""

    text: str
    is_match: bool = False


@dataclass(frozen=True)
class Hit(ListedArticle):
    """An article that has all the words."""

    title: list[TextFragment]
    excerpt: list[TextFragment]


@dataclass(frozen=True)
class Results:
    """One page of hits."""

    page: Page[int]
    hits: list[Hit]


def search(query: SearchQuery, number: int) -> Results:
    """One page of the articles with all the words. Raises Http404 for a page out of range."""
    page = _page(_articles(query), number)
    ids = list(page)
    # Checked again: a stale index entry must not show a text that is not public.
    public = Article.objects.in_language(query.language).with_text_in(query.language)
    found = public.order_by().in_bulk(ids)
    return Results(page, [_hit(found[pk], query) for pk in ids if pk in found])


def _page(entries: SearchEntryQuerySet, number: int) -> Page[int]:
    """The ids of one page. Raises Http404 if out of range."""
    if not 1 <= number <= MAX_PAGE_NUMBER:
        raise Http404
    ids, total = entries.part((number - 1) * PAGE_SIZE, number * PAGE_SIZE)
    if number > 1 and not ids:
        raise Http404
    paginator = Paginator(ids, PAGE_SIZE)
    # The total, not only those fetched.
    paginator.count = total
    return Page(ids, number, paginator)


def _articles(query: SearchQuery) -> SearchEntryQuerySet:
    """Matching entries, best first."""
    wanted = query.stems
    entries = SearchEntry.objects.in_language(query.language).matching(wanted)
    if query.topic is not None:
        entries = entries.filter(topic=query.topic)
    if query.year is not None:
        entries = entries.filter(week__range=_weeks_of(query.year))
    return entries.best_first(wanted)


def _weeks_of(year: int) -> tuple[Week, Week]:
    """A week that spans two years belongs to both."""
    return Week.nearest(dt.date(year, 1, 1)), Week.nearest(dt.date(year, 12, 31))


def indexed_years(language: str) -> list[int]:
    """For the filter, newest first."""
    entries = SearchEntry.objects.in_language(language)
    span = entries.aggregate(first=Min("week"), last=Max("week"))
    if span["first"] is None:
        return []
    return list(range(span["last"].sunday.year, span["first"].monday.year - 1, -1))


# --- Highlighting -----------------------------------------------------------------------


def _hit(article: Article, query: SearchQuery) -> Hit:
    text, wanted = article.text_in(query.language), frozenset(query.stems)
    title = highlight(text.title, wanted, query.language)
    return Hit(text.language, query.language, article, text, title, excerpt(text, wanted))


def excerpt(text: ArticleText, wanted: frozenset[str]) -> list[TextFragment]:
    """From the first paragraph with all the words, else the one with most of them.

    The beginning of the text if all of them are in the title alone.
    """
    best, most = "", -1
    for block in _blocks(text):
        count = len(_matching_stems(block, wanted, text.language))
        if count > most:
            best, most = block, count
        if count == len(wanted):
            break
    return highlight(_window(best, wanted, text.language), wanted, text.language)


def _matching_stems(block: str, wanted: frozenset[str], language: str) -> frozenset[str]:
    # map() instead of a loop: a page has thousands of words.
    return wanted.intersection(map(stem, WORD.findall(block), repeat(language)))


def _blocks(text: ArticleText) -> Iterable[str]:
    if text.lead:
        yield text.lead
    for block in sanitizer.iter_blocks(text.body):
        if block.text:
            yield block.text


def _window(block: str, wanted: frozenset[str], language: str) -> str:
    """EXCERPT_LENGTH characters of a paragraph, from just before the first match."""
    if len(block) <= EXCERPT_LENGTH:
        return block
    spans = (found.start() for found in WORD.finditer(block) if stem(found[0], language) in wanted)
    first = next(spans, 0)
    start = 0 if first <= CONTEXT_LENGTH else block.find(" ", first - CONTEXT_LENGTH) + 1
    start = start if start <= first else first
    end = start + EXCERPT_LENGTH
    if end >= len(block):
        return ELLIPSIS + block[start:]
    # At a word boundary, unless one word is longer than the excerpt.
    space = block.rfind(" ", start, end)
    cut = block[start : space if space > first else end]
    return (ELLIPSIS if start else "") + cut.rstrip(" ,;:–—") + ELLIPSIS


def highlight(text: str, wanted: frozenset[str], language: str) -> list[TextFragment]:
    """The text, split at the words with these stems."""
    found, end = [], 0
    for word in WORD.finditer(text):
        if stem(word[0], language) in wanted:
            if word.start() > end:
                found.append(TextFragment(text[end : word.start()]))
            found.append(TextFragment(word[0], is_match=True))
            end = word.end()
    return [*found, TextFragment(text[end:])] if text[end:] else found
