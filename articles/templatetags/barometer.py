"""Tags and filters of the barometer."""

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
register.filter(barometer.verdict_label)
register.filter(barometer.correction_description)


@register.simple_tag
def strips(shown: Barometer, *, single_topic: bool = False) -> SafeString:
    """A year by quarter; without labels for a single topic, which the heading names."""
    return svg.element("div", *charts.strips(shown, labels=not single_topic), class_="strips")


@register.inclusion_tag("articles/barometer/line_charts.html")
def line_charts(shown: Barometer, *, single_topic: bool = False) -> dict[str, Any]:
    """Each topic's running total."""
    return {
        "lines": "" if single_topic else charts.shared_lines(shown),
        "charts": charts.line_charts(shown, single_topic=single_topic),
        "barometer": shown,
    }


@register.inclusion_tag("articles/barometer/topic.html")
def topic_barometer(topic: Topic) -> dict[str, Any]:
    """A topic's newest year; empty without a verdict."""
    language = languages.current()
    years = barometer.years_with_verdicts(topic)
    shown = barometer.build_barometer(language, years[0], [topic]) if years else None
    # A withdrawal between two queries may leave a year empty.
    return {
        "barometer": shown if shown and shown.rows else None,
        "topic": topic,
        "language": language,
    }


@register.inclusion_tag("articles/barometer/week_verdicts.html")
def week_verdicts(items: list[ListedArticle]) -> dict[str, Any]:
    """The verdicts of a week's articles."""
    given = [item for item in items if item.article.verdict and item.article.topic]
    return {"items": given, "language": languages.current()}


@register.simple_tag
def verdict_corrections(article: Article) -> list[str]:
    """An article's earlier public verdicts, as sentences."""
    return [
        barometer.correction_description(change)
        for change in barometer.verdict_corrections(article)
    ]
