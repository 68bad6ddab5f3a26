"""The barometer's pictures on readers' pages, and its words in the page's language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from articles import barometer, drawing
from articles.barometer import Barometer, Cell, Change
from articles.drawing import Line, signed
from articles.models import Article, Topic, Verdict
from articles.pages import Item
from newsroom import languages
from newsroom.weeks import long_date

register = template.Library()


@register.inclusion_tag("articles/barometer/strips.html")
def strips(shown: Barometer, *, alone: bool = False) -> dict[str, Any]:
    """The year, quarter by quarter; `alone` where the page names the topic in its heading."""
    return {
        "strips": drawing.strips(shown, labels=not alone),
        "language": shown.language,
        "year": shown.year,
    }


@register.inclusion_tag("articles/barometer/lines.html")
def lines(shown: Barometer, *, alone: bool = False) -> dict[str, Any]:
    """Each topic's running sum; `alone` on the topic's own page, whose heading names it."""
    return {"chart": drawing.chart(shown), "barometer": shown, "alone": alone}


@register.inclusion_tag("articles/barometer/topic.html")
def topic_barometer(topic: Topic) -> dict[str, Any]:
    """A topic's newest year; nothing for one without any verdict."""
    language = languages.current()
    years = barometer.years(topic)
    shown = barometer.barometer(language, years[0], [topic]) if years else None
    # A withdrawal between two queries may leave a year empty.
    return {
        "barometer": shown if shown and shown.rows else None,
        "topic": topic,
        "language": language,
    }


@register.inclusion_tag("articles/barometer/glance.html")
def glance(items: list[Item]) -> dict[str, Any]:
    """The verdicts of a week's articles."""
    given = [item for item in items if item.article.verdict and item.article.topic]
    return {"items": given, "language": languages.current()}


@register.simple_tag
def verdict_changes(article: Article) -> list[str]:
    """What an article's readers were told before, in sentences."""
    return [told_change(change) for change in barometer.changes_of(article)]


@register.filter
def words(verdict: str) -> str:
    """A verdict's words, or that there is none."""
    return str(Verdict(verdict).label) if verdict else _("no verdict")


@register.filter
def told_change(change: Change) -> str:
    """ "Corrected, 25 November 2026 (before: Got worse)"."""
    day = long_date(change.at.date(), languages.current())
    return f"{_('Corrected')}, {day} ({_('before')}: {words(change.was)})"


@register.filter
def told_line(line: Line) -> str:
    """A chart in a sentence."""
    return _(
        "%(topic)s: the running sum of its verdicts ends at %(last)s;"
        " the highest is %(highest)s, the lowest %(lowest)s"
    ) % {
        "topic": line.row.topic,
        "last": line.last_label,
        "highest": signed(line.highest),
        "lowest": signed(line.lowest),
    }


@register.filter
def told(cell: Cell) -> str:
    """All that a mark says. No title in a language that is not the page's: its name instead."""
    here = languages.current()
    parts = [cell.week.short_label(here), f"{cell.topic}: {words(cell.verdict)}"]
    if cell.language == here:
        parts.append(cell.title)
    else:
        parts.append(f"{_('Language')}: {languages.name(cell.language, here)}")
    return " · ".join([*parts, *map(told_change, cell.changes)])
