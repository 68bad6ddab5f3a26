"""The barometer: each topic's verdicts by week, with their corrections.

Verdicts are the same in all languages; only the linked article depends on the page's language.
Takes a fixed number of queries.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from articles.models import Article, ArticleLanguage, Topic, Verdict, VerdictChange
from articles.models.articles import ArticleQuerySet
from articles.models.texts import article_path, article_slug
from articles.models.verdicts import VerdictChangeQuerySet
from core import languages
from core.fragment_cache import cached_fragment
from core.weeks import Week, long_date

VERDICT_SCORES: dict[str, int] = {Verdict.IMPROVED: 1, Verdict.UNCHANGED: 0, Verdict.WORSENED: -1}
"""Added to the topic's running total."""
RETRACTED = {"article__verdict": ""}
TopicWeek = tuple[int, Week]
"""A topic's id and a week."""


@dataclass(frozen=True)
class VerdictCorrection:
    """The verdict before a correction; empty for none."""

    previous: str
    corrected_at: dt.datetime


@dataclass(frozen=True)
class Cell:
    """One topic in one week."""

    topic: Topic
    week: Week
    verdict: str
    """Empty where it was retracted."""
    article_id: int
    language: str
    """Of the title and the linked page: the nearest to the page's."""
    title: str
    languages: list[str]
    """All that the article is public in."""
    published_at: dt.datetime
    corrections: tuple[VerdictCorrection, ...] = ()
    """Oldest first."""

    @property
    def path(self) -> str:
        """The path of the article's page."""
        return article_path(self.language, self.article_id, article_slug(self.language, self.title))

    @property
    def permalink(self) -> str:
        """Without the slug, which follows the title; redirects to `path`."""
        return article_path(self.language, self.article_id)


@dataclass(frozen=True)
class TopicRow:
    """A topic with its cells, oldest week first."""

    topic: Topic
    cells: list[Cell]

    @cached_property
    def counts(self) -> list[tuple[Verdict, int]]:
        """By verdict."""
        given = [cell.verdict for cell in self.cells]
        return [(verdict, given.count(verdict)) for verdict in Verdict]

    @cached_property
    def running_totals(self) -> list[tuple[Week, int]]:
        """The sum of VERDICT_SCORES up to each week."""
        total, found = 0, []
        for cell in self.cells:
            if cell.verdict:
                total += VERDICT_SCORES[cell.verdict]
                found.append((cell.week, total))
        return found


@dataclass(frozen=True)
class Barometer:
    """A year, or all years if `year` is None, for a page in `language`."""

    language: str
    year: int | None
    rows: list[TopicRow] = field(default_factory=list)
    """Topics with a verdict, by position."""

    @property
    def weeks(self) -> list[Week]:
        """All 52 or 53 weeks of the year."""
        return [] if self.year is None else Week.of_year(self.year)

    @cached_property
    def cells(self) -> list[Cell]:
        """Of all topics, by week."""
        cells = (cell for row in self.rows for cell in row.cells)
        return sorted(cells, key=lambda cell: cell.week)

    @property
    def oldest_week(self) -> Week:
        return self.cells[0].week

    @property
    def newest_week(self) -> Week:
        return self.cells[-1].week

    @property
    def has_corrections(self) -> bool:
        return any(cell.corrections for cell in self.cells)

    @property
    def has_retractions(self) -> bool:
        """Whether a verdict was withdrawn without another in its place."""
        return any(not cell.verdict for cell in self.cells)

    @cached_property
    def by_week(self) -> list[tuple[Week, list[Cell | None]]]:
        """For the table, newest first: each week with a cell for each topic."""
        column = {row.topic: number for number, row in enumerate(self.rows)}
        found: dict[Week, list[Cell | None]] = {}
        for cell in self.cells:
            found.setdefault(cell.week, [None] * len(self.rows))[column[cell.topic]] = cell
        return list(reversed(found.items()))


def years_with_verdicts(topic: Topic | None = None) -> list[int]:
    """The ISO years in which the topic, or any topic, has a cell; newest first."""
    within = Q() if topic is None else Q(topic=topic)
    given = _with_verdict(within).public().order_by().values_list("week", flat=True)
    changed = _changes(within).order_by().values_list("week", flat=True)
    return sorted({week.year for week in {*given.distinct(), *changed.distinct()}}, reverse=True)


def topics_with_verdicts(year: int) -> list[Topic]:
    """By position."""
    within = _of_year(year)
    given = _with_verdict(within).public().order_by().values("topic")
    changed = _changes(within).order_by().values("topic")
    return list(Topic.objects.filter(Q(pk__in=given) | Q(pk__in=changed)))


def build_barometer(
    language: str, year: int | None = None, topics: Sequence[Topic] | None = None
) -> Barometer:
    """Of one year or of all, with these topics or all."""
    shown = {topic.pk: topic for topic in (Topic.objects.all() if topics is None else topics)}
    within = Q() if year is None else _of_year(year)
    if topics is not None:
        within &= Q(topic__in=shown)
    changes: dict[TopicWeek, list[VerdictChange]] = defaultdict(list)
    for change in _changes(within):
        changes[change.topic_id, change.week].append(change)
    texts = {_place(rows[0]): rows for rows in _texts(_with_verdict(within))}
    # A retracted verdict links to the article that gave it.
    retracted = {
        place: rows[-1].article_id for place, rows in changes.items() if place not in texts
    }
    articles = Article.objects.filter(pk__in=set(retracted.values()))
    by_article = {rows[0]["article_id"]: rows for rows in (_texts(articles) if retracted else [])}
    for place, pk in retracted.items():
        # It may have been withdrawn between two queries.
        if pk in by_article:
            texts[place] = [row | RETRACTED for row in by_article[pk]]

    preferences = languages.preference_order(language)
    cells: dict[int, list[Cell]] = {pk: [] for pk in shown}
    for topic_id, week in sorted(texts, key=lambda place: place[1]):
        # The topic may have been created between two queries.
        if topic_id in shown:
            corrections = [_correction(one) for one in changes[topic_id, week]]
            rows = texts[topic_id, week]
            cells[topic_id].append(_cell(shown[topic_id], week, rows, corrections, preferences))
    return Barometer(language, year, [TopicRow(shown[pk], own) for pk, own in cells.items() if own])


def verdict_corrections(article: Article) -> list[VerdictCorrection]:
    """The earlier public verdicts of an article's topic and week.

    Without a mere move to this topic or week, which did not change the article's verdict.
    """
    ids = VerdictChange.objects.order_by().values_list("article_id", flat=True)
    if article.pk not in cached_fragment(("changed verdicts",), lambda: frozenset(ids)):
        return []
    changes = list(article.verdict_changes.all())
    here = [one for one in changes if (one.topic_id, one.week) == (article.topic_id, article.week)]
    moves = {one.changed_at for one in changes if one not in here}
    return [_correction(one) for one in here if one.was or one.changed_at not in moves]


def _correction(change: VerdictChange) -> VerdictCorrection:
    return VerdictCorrection(change.was, change.changed_at)


def _of_year(year: int) -> Q:
    weeks = Week.of_year(year)
    return Q(week__gte=weeks[0], week__lte=weeks[-1])


def _with_verdict(within: Q) -> ArticleQuerySet:
    """Articles with a verdict, public or not."""
    placed = Article.objects.not_withdrawn().with_valid_week().filter(topic__isnull=False)
    articles: ArticleQuerySet = placed.filter(within).exclude(verdict="")
    return articles


def _changes(within: Q) -> VerdictChangeQuerySet:
    return VerdictChange.objects.of_public_articles().filter(within)


def _texts(articles: ArticleQuerySet) -> list[list[dict[str, Any]]]:
    """The public languages of each article that has any."""
    rows = ArticleLanguage.objects.public().filter(article__in=articles.order_by())
    # Without the bodies, megabytes a year.
    titles = [f"article__title_{code}" for code in languages.codes()]
    facts = ("article__topic", "article__week", "article__verdict")
    by_article: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.values("article_id", "language", "published_at", *facts, *titles):
        by_article[row["article_id"]].append(row)
    return list(by_article.values())


def _place(row: dict[str, Any]) -> TopicWeek:
    return row["article__topic"], row["article__week"]


def _cell(
    topic: Topic,
    week: Week,
    rows: list[dict[str, Any]],
    corrections: list[VerdictCorrection],
    preferences: list[str],
) -> Cell:
    public = {row["language"]: row for row in rows}
    language = next(code for code in preferences if code in public)
    shown = public[language]
    return Cell(
        topic=topic,
        week=week,
        verdict=shown["article__verdict"],
        article_id=shown["article_id"],
        language=language,
        title=shown[f"article__title_{language}"] or "",
        languages=[code for code in languages.codes() if code in public],
        published_at=min(row["published_at"] for row in rows),
        corrections=tuple(corrections),
    )


# --- Descriptions in the active language -----------------------------------------------------


def verdict_label(verdict: str) -> str:
    """A verdict's label, or "no verdict"."""
    return str(Verdict(verdict).label) if verdict else _("no verdict")


def correction_description(correction: VerdictCorrection) -> str:
    """ "Corrected, 25 November 2026 (before: Got worse)"."""
    day = long_date(correction.corrected_at.date(), languages.current())
    return f"{_('Corrected')}, {day} ({_('before')}: {verdict_label(correction.previous)})"


def cell_description(cell: Cell) -> str:
    """For the tooltip of a mark. A title in another language is replaced by the language's name."""
    here = languages.current()
    parts = [cell.week.short_label(here), f"{cell.topic}: {verdict_label(cell.verdict)}"]
    if cell.language == here:
        parts.append(cell.title)
    else:
        parts.append(f"{_('Language')}: {languages.name(cell.language, here)}")
    return " · ".join([*parts, *map(correction_description, cell.corrections)])


def total_description(row: TopicRow) -> str:
    """A topic's running total in a sentence."""
    totals = [total for _week, total in row.running_totals]
    return _(
        "%(topic)s: the running sum of its verdicts ends at %(last)s;"
        " the highest is %(highest)s, the lowest %(lowest)s"
    ) % {
        "topic": row.topic,
        "last": signed(totals[-1]),
        "highest": signed(max(0, *totals)),
        "lowest": signed(min(0, *totals)),
    }


def signed(total: int) -> str:
    """ "+3", "0", "−2", with U+2212."""
    return f"+{total}" if total > 0 else str(total).replace("-", "\N{MINUS SIGN}")
