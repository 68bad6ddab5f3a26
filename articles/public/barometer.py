"""The barometer: what verdict each topic got in each week, and where it was corrected.

Verdicts are shared by all languages, so each language's barometer has the same ones; only
where they lead depends on what is published in it. Asked for in a fixed number of queries.
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
from articles.models.texts import path_of, slug_of
from articles.models.verdicts import VerdictChangeQuerySet
from core import languages
from core.fragment_cache import cached_fragment
from core.weeks import Week, long_date

STEPS: dict[str, int] = {Verdict.IMPROVED: 1, Verdict.UNCHANGED: 0, Verdict.WORSENED: -1}
"""What a verdict adds to its topic's running sum."""
TAKEN_BACK = {"article__verdict": ""}
Place = tuple[int, Week]
"""A topic's id and a week."""


@dataclass(frozen=True)
class Change:
    """Until that moment the verdict was another one; empty is none."""

    was: str
    at: dt.datetime


@dataclass(frozen=True)
class Cell:
    """One topic in one week."""

    topic: Topic
    week: Week
    verdict: str
    """Empty where a correction took it back."""
    article_id: int
    language: str
    """Of the title, and of the page that it leads to: the nearest to the page's own."""
    title: str
    languages: list[str]
    """In which the article can be read."""
    published_at: dt.datetime
    changes: tuple[Change, ...] = ()
    """Oldest first."""

    @property
    def path(self) -> str:
        """The article's page."""
        return path_of(self.language, self.article_id, slug_of(self.language, self.title))

    @property
    def lasting_path(self) -> str:
        """Without a slug, so that it stays the same when a title is corrected; it leads there."""
        return path_of(self.language, self.article_id)


@dataclass(frozen=True)
class Row:
    """A topic with its cells in the order of the weeks."""

    topic: Topic
    cells: list[Cell]

    @cached_property
    def counts(self) -> list[tuple[Verdict, int]]:
        """How often each verdict was given."""
        given = [cell.verdict for cell in self.cells]
        return [(verdict, given.count(verdict)) for verdict in Verdict]

    @cached_property
    def sums(self) -> list[tuple[Week, int]]:
        """The running sum after each verdict, from 0 on."""
        total, found = 0, []
        for cell in self.cells:
            if cell.verdict:
                total += STEPS[cell.verdict]
                found.append((cell.week, total))
        return found


@dataclass(frozen=True)
class Barometer:
    """A year, or all of them with `year` None, as a page in `language` shows it."""

    language: str
    year: int | None
    rows: list[Row] = field(default_factory=list)
    """The topics that got a verdict, in the topics' order."""

    @property
    def weeks(self) -> list[Week]:
        """The year's 52 or 53, whether they have a verdict or not."""
        return [] if self.year is None else Week.of_year(self.year)

    @cached_property
    def cells(self) -> list[Cell]:
        """Of all topics, week by week."""
        every = (cell for row in self.rows for cell in row.cells)
        return sorted(every, key=lambda cell: cell.week)

    @property
    def oldest_week(self) -> Week:
        return self.cells[0].week

    @property
    def newest_week(self) -> Week:
        return self.cells[-1].week

    @property
    def has_corrections(self) -> bool:
        return any(cell.changes for cell in self.cells)

    @property
    def has_taken_back(self) -> bool:
        """A verdict that was given, and is none any more."""
        return any(not cell.verdict for cell in self.cells)

    @cached_property
    def by_week(self) -> list[tuple[Week, list[Cell | None]]]:
        """For the table, newest first: a week and its cell for each topic."""
        place = {row.topic: number for number, row in enumerate(self.rows)}
        found: dict[Week, list[Cell | None]] = {}
        for cell in self.cells:
            found.setdefault(cell.week, [None] * len(self.rows))[place[cell.topic]] = cell
        return list(reversed(found.items()))


def years(topic: Topic | None = None) -> list[int]:
    """The ISO years in which a topic, or any, has a cell; newest first."""
    within = Q() if topic is None else Q(topic=topic)
    given = _giving(within).public().order_by().values_list("week", flat=True)
    changed = _changes(within).order_by().values_list("week", flat=True)
    return sorted({week.year for week in {*given.distinct(), *changed.distinct()}}, reverse=True)


def topics_of(year: int) -> list[Topic]:
    """Those that have a cell in that year, in their order."""
    within = _of_year(year)
    given = _giving(within).public().order_by().values("topic")
    changed = _changes(within).order_by().values("topic")
    return list(Topic.objects.filter(Q(pk__in=given) | Q(pk__in=changed)))


def barometer(
    language: str, year: int | None = None, topics: Sequence[Topic] | None = None
) -> Barometer:
    """A year's cells, or those of all years; of these topics or of each."""
    shown = {topic.pk: topic for topic in (Topic.objects.all() if topics is None else topics)}
    within = Q() if year is None else _of_year(year)
    if topics is not None:
        within &= Q(topic__in=shown)
    changes: dict[Place, list[VerdictChange]] = defaultdict(list)
    for change in _changes(within):
        changes[change.topic_id, change.week].append(change)
    texts = {_place(rows[0]): rows for rows in _texts(_giving(within))}
    # Where the verdict was taken back, the place leads to the article that gave it.
    left = {place: noted[-1].article_id for place, noted in changes.items() if place not in texts}
    leaving = Article.objects.filter(pk__in=set(left.values()))
    gave = {rows[0]["article_id"]: rows for rows in (_texts(leaving) if left else [])}
    for place, pk in left.items():
        # Unless it was withdrawn between two of these queries.
        if pk in gave:
            texts[place] = [row | TAKEN_BACK for row in gave[pk]]

    preferences = languages.nearest_first(language)
    cells: dict[int, list[Cell]] = {pk: [] for pk in shown}
    for topic_id, week in sorted(texts, key=lambda place: place[1]):
        # A topic that was made between two of these queries waits for the next page.
        if topic_id in shown:
            noted = [Change(one.was, one.changed_at) for one in changes[topic_id, week]]
            rows = texts[topic_id, week]
            cells[topic_id].append(_cell(shown[topic_id], week, rows, noted, preferences))
    return Barometer(language, year, [Row(shown[pk], own) for pk, own in cells.items() if own])


def changes_of(article: Article) -> list[Change]:
    """What readers of an article were told before of its topic and week.

    One that only moved here gave the same verdict elsewhere: that is no news to its readers.
    """
    every = VerdictChange.objects.order_by().values_list("article_id", flat=True)
    if article.pk not in cached_fragment(("changed verdicts",), lambda: frozenset(every)):
        return []
    noted = list(article.verdict_changes.all())
    here = [one for one in noted if (one.topic_id, one.week) == (article.topic_id, article.week)]
    moves = {one.changed_at for one in noted if one not in here}
    told = [one for one in here if one.was or one.changed_at not in moves]
    return [Change(one.was, one.changed_at) for one in told]


def _of_year(year: int) -> Q:
    weeks = Week.of_year(year)
    return Q(week__gte=weeks[0], week__lte=weeks[-1])


def _giving(within: Q) -> ArticleQuerySet:
    """The articles that give a verdict there, public or not."""
    placed = Article.objects.not_withdrawn().of_any_week().filter(topic__isnull=False)
    giving: ArticleQuerySet = placed.filter(within).exclude(verdict="")
    return giving


def _changes(within: Q) -> VerdictChangeQuerySet:
    return VerdictChange.objects.of_public_articles().filter(within)


def _texts(articles: ArticleQuerySet) -> list[list[dict[str, Any]]]:
    """For each of the articles that has any, its public languages."""
    rows = ArticleLanguage.objects.public().filter(article__in=articles.order_by())
    # Titles only: a year's bodies are megabytes.
    titles = [f"article__title_{code}" for code in languages.codes()]
    facts = ("article__topic", "article__week", "article__verdict")
    by_article: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.values("article_id", "language", "published_at", *facts, *titles):
        by_article[row["article_id"]].append(row)
    return list(by_article.values())


def _place(row: dict[str, Any]) -> Place:
    return row["article__topic"], row["article__week"]


def _cell(
    topic: Topic,
    week: Week,
    rows: list[dict[str, Any]],
    changes: list[Change],
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
        changes=tuple(changes),
    )


# --- In words, in the language of the moment ------------------------------------------------


def words(verdict: str) -> str:
    """A verdict's words, or that there is none."""
    return str(Verdict(verdict).label) if verdict else _("no verdict")


def change_description(change: Change) -> str:
    """ "Corrected, 25 November 2026 (before: Got worse)"."""
    day = long_date(change.at.date(), languages.current())
    return f"{_('Corrected')}, {day} ({_('before')}: {words(change.was)})"


def cell_description(cell: Cell) -> str:
    """All that a mark says. No title in a language that is not the page's: its name instead."""
    here = languages.current()
    parts = [cell.week.short_label(here), f"{cell.topic}: {words(cell.verdict)}"]
    if cell.language == here:
        parts.append(cell.title)
    else:
        parts.append(f"{_('Language')}: {languages.name(cell.language, here)}")
    return " · ".join([*parts, *map(change_description, cell.changes)])


def sum_description(row: Row) -> str:
    """A topic's running sum in a sentence."""
    totals = [total for _week, total in row.sums]
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
    """ "+3", "0", "−2", with a real minus."""
    return f"+{total}" if total > 0 else str(total).replace("-", "\N{MINUS SIGN}")
