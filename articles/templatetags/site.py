"""Tags and filters of the public pages."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from articles.images import renditions
from articles.models import Article, Picture, SiteSettings, Topic
from articles.public import feeds, selectors, social_metadata
from articles.public.context import cached_masthead, cached_topics, static_page_links
from articles.public.static_pages import PageLink
from core import languages
from core.fragment_cache import cached_fragment
from core.weeks import Week, long_date

register = template.Library()


@register.simple_tag
def masthead() -> SiteSettings:
    """The newsroom's name and tagline."""
    return cached_masthead()


@register.simple_tag
def topics() -> list[Topic]:
    """By position."""
    return cached_topics()


@register.simple_tag(takes_context=True)
def site_name(context: dict[str, Any]) -> SafeString:
    """The newsroom's name and the link to the search."""
    is_search = context["request"].path.startswith(reverse("search", args=[languages.current()]))
    about = {
        "masthead": context["masthead"],
        "is_search": is_search,
        "language": languages.current(),
    }
    return cached_fragment(
        ("site name", languages.current(), is_search),
        lambda: render_to_string("articles/site_name.html", about),
    )


@register.simple_tag(takes_context=True)
def site_footer(context: dict[str, Any]) -> SafeString:
    """Links to the newsletter, the static pages and the page's feed."""
    topic = context.get("topic")
    feed = (
        reverse("topic_feed", args=[languages.current(), topic.code])
        if topic
        else reverse("feed", args=[languages.current()])
    )
    about = {"masthead": context["masthead"], "feed": feed, "language": languages.current()}
    key = ("site footer", languages.current(), topic.code if topic else "")
    return cached_fragment(key, lambda: render_to_string("articles/site_footer.html", about))


@register.simple_tag(takes_context=True)
def navigation(context: dict[str, Any]) -> SafeString:
    """Links to topics, barometer and digests; the current page is marked."""
    topic, path = context.get("topic"), context["request"].path
    sections = (
        name
        for name in ("/barometer/", "/weeks/")
        if path.startswith(f"/{languages.current()}{name}")
    )
    current = topic.code if topic else next(sections, "")
    return cached_fragment(
        ("navigation", languages.current(), current), lambda: _navigation(current)
    )


def _navigation(current: str) -> SafeString:
    context = {"current": current, "language": languages.current()}
    return render_to_string("articles/navigation.html", context)


@register.simple_tag
def static_pages() -> list[PageLink]:
    """About, privacy."""
    return static_page_links(languages.current())


@register.simple_tag
def latest_week() -> SafeString:
    """The newest week's articles, for the sidebar."""
    return cached_fragment(("latest week", languages.current()), _latest_week)


def _latest_week() -> SafeString:
    newest = selectors.newest_week(languages.current())
    context = {
        "masthead": cached_masthead(),
        "week_page": selectors.week_page(newest, languages.current()) if newest else None,
        "language": languages.current(),
    }
    return render_to_string("articles/latest_week.html", context)


@register.simple_tag
def related_articles(article: Article) -> list[SafeString]:
    """Others on its topic, rendered; cached per topic."""
    topic = article.topic
    if topic is None:
        return []
    newest = cached_fragment(("related", languages.current(), topic.pk), lambda: _newest_of(topic))
    return [shown for pk, shown in newest if pk != article.pk][: selectors.MAX_RELATED]


def _newest_of(topic: Topic) -> list[tuple[int, SafeString]]:
    found = selectors.newest_of_topic(topic, languages.current())
    return [
        (one.article.pk, render_to_string("articles/article_list_item.html", {"item": one}))
        for one in found
    ]


@register.simple_tag(takes_context=True)
def language_alternates(context: dict[str, Any]) -> list[selectors.Alternate]:
    """The same page in each language: the view's `alternates`, else by path."""
    if "alternates" in context:
        alternates: list[selectors.Alternate] = context["alternates"]
        return alternates
    path = context["request"].path
    head, _, tail = path.lstrip("/").partition("/")
    if not languages.is_language(head):
        return selectors.alternates("home", languages.current())
    return [
        selectors.Alternate(
            code, languages.native_name(code), f"/{code}/{tail}", code == languages.current(), True
        )
        for code in languages.codes()
    ]


@register.simple_tag
def is_indexable(alternates: list[selectors.Alternate]) -> bool:
    """False for a page that is not available in its own language."""
    return any(one.is_current and one.is_available for one in alternates)


class HeadLink(NamedTuple):
    """A `<link>` in the page's head."""

    rel: str
    hreflang: str
    href: str


@register.simple_tag
def canonical_links(alternates: list[selectors.Alternate]) -> list[HeadLink]:
    """rel=alternate with hreflang for each language, if indexable, and rel=canonical."""
    available = [(one.language, absolute_url(one.path)) for one in alternates if one.is_available]
    found = []
    for language, url in available if is_indexable(alternates) else []:
        found.append(HeadLink("alternate", language, url))
        if language == languages.default():
            found.append(HeadLink("alternate", "x-default", url))
    own = [one.path for one in alternates if one.is_current and one.is_available]
    return found + [HeadLink("canonical", "", absolute_url(path)) for path in own]


@register.filter
def absolute_url(path: str) -> str:
    """On SITE_URL, whichever mirror serves the page."""
    return f"{settings.SITE_URL}{path}"


@register.filter
def week_label(week: Week) -> str:
    """With its year."""
    return week.label(languages.current())


@register.filter
def short_week_label(week: Week) -> str:
    """Without its year."""
    return week.short_label(languages.current())


@register.filter
def date_label(moment: dt.datetime | None) -> str:
    """A date in the page's language."""
    return long_date(moment.date(), languages.current()) if moment else ""


@register.filter
def og_locale(code: str) -> str:
    """A language as OpenGraph writes it."""
    return social_metadata.og_locale(code)


@register.filter
def language_name(code: str) -> str:
    """A language's name in the page's."""
    return languages.name(code, languages.current())


@register.filter
def render_body(body: str) -> SafeString:
    """A stored body, which was sanitised at save, with responsive pictures."""
    return mark_safe(renditions.with_all_renditions(body))  # noqa: S308


@register.simple_tag
def picture(shown: Picture) -> SafeString:
    """A cover: above the fold, so not lazy."""
    return shown.shown_in(languages.current(), lazy=False).markup()


@register.filter
def alt_text(shown: Picture) -> str:
    """In the page's language only."""
    return shown.alt_in(languages.current())


@register.simple_tag
def caption_parts(shown: Picture) -> list[str]:
    """The caption in the page's language only, and the credit, which is in none."""
    credit = format_html('<span lang="" translate="no">{}</span>', shown.credit)
    return [
        part
        for part in (shown.caption_in(languages.current()), credit if shown.credit else "")
        if part
    ]


@register.filter
def caption_line(shown: Picture) -> str:
    """Caption and credit as plain text, for feeds."""
    return " · ".join(
        part for part in (shown.caption_in(languages.current()), shown.credit) if part
    )


@register.inclusion_tag("articles/verdict.html")
def verdict(article: Article) -> dict[str, Any]:
    """Shape and words, so that colour is not the only sign."""
    return {"verdict": article.verdict, "words": article.get_verdict_display}


@register.simple_tag
def digest_title(masthead: SiteSettings, week: Week) -> str:
    """The title of a week's digest, without the newsroom's name."""
    title = masthead.digest_title
    return (
        f"{title}: {week.label(languages.current())}" if title else week.label(languages.current())
    )


@register.simple_tag
def feed_title(masthead: SiteSettings, topic: Topic | None = None) -> str:
    """The feed's title."""
    return feeds.feed_title(masthead, topic)


@register.simple_tag
def home_url() -> str:
    """The home page in the page's language."""
    return reverse("home", args=[languages.current()])
