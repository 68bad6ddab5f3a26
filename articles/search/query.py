"""A reader's search: what was asked, what was found, and the words in it.

What somebody searches for is kept nowhere and written to no log. It is asked with a POST, so that
it stands in no address and in no browser's history that anybody can read; see search_tokens.
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

EXCERPT, BEFORE = 280, 80
"""Characters of an excerpt, and of those in front of the first word that was found."""
LEFT_OUT = "…"
RESULTS_PER_PAGE = 20
LAST_PAGE = 10**6
"""Beyond it no database is asked."""


@dataclass(frozen=True)
class Query:
    """What a reader asks for: words, and perhaps a topic and a year."""

    words: str
    language: str
    topic: Topic | None = None
    year: int | None = None

    @property
    def stems(self) -> list[str]:
        """Each once; none where nothing but punctuation was typed."""
        return list(dict.fromkeys(stems(self.words, self.language)))


@dataclass(frozen=True)
class Piece:
    """A part of a text: what was searched for, or what stands between."""

    text: str
    is_found: bool = False


@dataclass(frozen=True)
class Hit(ListedArticle):
    """An article in which all the words are."""

    title: list[Piece]
    excerpt: list[Piece]


@dataclass(frozen=True)
class Results:
    """One page of what was found."""

    page: Page[int]
    hits: list[Hit]


def search(query: Query, number: int) -> Results:
    """One page of the articles with all the words. Raises Http404 for a page there is not."""
    page = _page(_articles(query), number)
    ids = list(page)
    # Asked anew whether it is public: no entry that was left behind shows anything.
    public = Article.objects.in_language(query.language).with_text_in(query.language)
    found = public.order_by().in_bulk(ids)
    return Results(page, [_hit(found[pk], query) for pk in ids if pk in found])


def _page(entries: SearchEntryQuerySet, number: int) -> Page[int]:
    """The ids of one page. Raises Http404 for one there is not."""
    if not 1 <= number <= LAST_PAGE:
        raise Http404
    ids, total = entries.part((number - 1) * RESULTS_PER_PAGE, number * RESULTS_PER_PAGE)
    if number > 1 and not ids:
        raise Http404
    paginator = Paginator(ids, RESULTS_PER_PAGE)
    # All that there are, not only those that were fetched.
    paginator.count = total
    return Page(ids, number, paginator)


def _articles(query: Query) -> SearchEntryQuerySet:
    """Their entries, best first."""
    wanted = query.stems
    entries = SearchEntry.objects.in_language(query.language).having(wanted)
    if query.topic is not None:
        entries = entries.filter(topic=query.topic)
    if query.year is not None:
        entries = entries.filter(week__range=_weeks_of(query.year))
    return entries.best_first(wanted)


def _weeks_of(year: int) -> tuple[Week, Week]:
    """A week that begins in one year and ends in the next belongs to both."""
    return Week.nearest(dt.date(year, 1, 1)), Week.nearest(dt.date(year, 12, 31))


def years(language: str) -> list[int]:
    """In which something was published, newest first."""
    entries = SearchEntry.objects.in_language(language)
    span = entries.aggregate(first=Min("week"), last=Max("week"))
    if span["first"] is None:
        return []
    return list(range(span["last"].sunday.year, span["first"].monday.year - 1, -1))


# --- The words in the text --------------------------------------------------------------


def _hit(article: Article, query: Query) -> Hit:
    text, wanted = article.text_in(query.language), frozenset(query.stems)
    title = pieces(text.title, wanted, query.language)
    return Hit(text.language, query.language, article, text, title, excerpt(text, wanted))


def excerpt(text: ArticleText, wanted: frozenset[str]) -> list[Piece]:
    """From the first paragraph with all the words, else the one with the most of them.

    The text's beginning where all of them are in its title alone.
    """
    best, most = "", -1
    for block in _blocks(text):
        there = len(_found_in(block, wanted, text.language))
        if there > most:
            best, most = block, there
        if there == len(wanted):
            break
    return pieces(_window(best, wanted, text.language), wanted, text.language)


def _found_in(block: str, wanted: frozenset[str], language: str) -> frozenset[str]:
    """Those of the stems that are there."""
    # No line of Python is run for each word: a page has thousands.
    return wanted.intersection(map(stem, WORD.findall(block), repeat(language)))


def _blocks(text: ArticleText) -> Iterable[str]:
    if text.lead:
        yield text.lead
    for block in sanitizer.each_block(text.body):
        if block.text:
            yield block.text


def _window(block: str, wanted: frozenset[str], language: str) -> str:
    """So much of a paragraph as fits, from a little before the first word found."""
    if len(block) <= EXCERPT:
        return block
    spans = (found.start() for found in WORD.finditer(block) if stem(found[0], language) in wanted)
    first = next(spans, 0)
    start = 0 if first <= BEFORE else block.find(" ", first - BEFORE) + 1
    start = start if start <= first else first
    end = start + EXCERPT
    if end >= len(block):
        return LEFT_OUT + block[start:]
    # A word is not cut, unless it is longer than all the excerpt.
    space = block.rfind(" ", start, end)
    cut = block[start : space if space > first else end]
    return (LEFT_OUT if start else "") + cut.rstrip(" ,;:–—") + LEFT_OUT


def pieces(text: str, wanted: frozenset[str], language: str) -> list[Piece]:
    """The text, cut at the words with these stems. Nothing is added or lost."""
    found, end = [], 0
    for word in WORD.finditer(text):
        if stem(word[0], language) in wanted:
            if word.start() > end:
                found.append(Piece(text[end : word.start()]))
            found.append(Piece(word[0], is_found=True))
            end = word.end()
    return [*found, Piece(text[end:])] if text[end:] else found
