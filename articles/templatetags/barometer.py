"""The barometer's pictures on readers' pages, and its words in the page's language."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from articles.models import Article, Topic
from articles.models.articles import ListedArticle
from articles.public import barometer, charts
from articles.public.barometer import Barometer
from core import languages, svg

register = template.Library()
register.filter(barometer.words)
register.filter(barometer.change_description)


@register.simple_tag
def strips(shown: Barometer, *, alone: bool = False) -> SafeString:
    """The year, quarter by quarter; `alone` where the page names the topic in its heading."""
    return svg.element("div", *charts.strips(shown, labels=not alone), class_="strips")


@register.inclusion_tag("articles/barometer/lines.html")
def lines(shown: Barometer, *, alone: bool = False) -> dict[str, Any]:
    """Each topic's running sum; `alone` on the topic's own page, whose heading names it."""
    return {
        "lines": "" if alone else charts.lines(shown),
        "charts": charts.charts(shown, alone=alone),
        "barometer": shown,
    }


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
def glance(items: list[ListedArticle]) -> dict[str, Any]:
    """The verdicts of a week's articles."""
    given = [item for item in items if item.article.verdict and item.article.topic]
    return {"items": given, "language": languages.current()}


@register.simple_tag
def verdict_changes(article: Article) -> list[str]:
    """What an article's readers were told before, in sentences."""
    return [barometer.change_description(change) for change in barometer.changes_of(article)]
