"""What every readers' page carries around its own text."""

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
from articles.models import Article, Masthead, Picture, Topic
from articles.public import context as furniture
from articles.public import feeds, selectors, social_metadata, static_pages
from core import languages
from core.fragment_cache import cached_fragment
from core.weeks import Week, long_date

register = template.Library()


def here() -> str:
    """The language of the page."""
    return languages.current()


@register.simple_tag
def masthead() -> Masthead:
    """The newsroom's name and tagline."""
    return furniture.masthead()


@register.simple_tag
def topics() -> list[Topic]:
    """The standing subjects, in their order."""
    return furniture.topics()


@register.simple_tag(takes_context=True)
def page_name(context: dict[str, Any]) -> SafeString:
    """Whose page it is, and the way to the search, which the page may be."""
    is_search = context["request"].path.startswith(reverse("search", args=[here()]))
    about = {"masthead": context["masthead"], "is_search": is_search, "language": here()}
    return cached_fragment(
        ("name", here(), is_search), lambda: render_to_string("articles/page_name.html", about)
    )


@register.simple_tag(takes_context=True)
def page_foot(context: dict[str, Any]) -> SafeString:
    """The way to the letter, to what the newsroom says of itself, and to the page's feed."""
    topic = context.get("topic")
    feed = (
        reverse("topic_feed", args=[here(), topic.code])
        if topic
        else reverse("feed", args=[here()])
    )
    about = {"masthead": context["masthead"], "feed": feed, "language": here()}
    key = ("foot", here(), topic.code if topic else "")
    return cached_fragment(key, lambda: render_to_string("articles/page_foot.html", about))


@register.simple_tag(takes_context=True)
def topics_nav(context: dict[str, Any]) -> SafeString:
    """Links to topics, barometer and digests, of which the page may be one."""
    topic, path = context.get("topic"), context["request"].path
    pages_of = (name for name in ("/barometer/", "/weeks/") if path.startswith(f"/{here()}{name}"))
    current = topic.code if topic else next(pages_of, "")
    return cached_fragment(("topics nav", here(), current), lambda: _topics_nav(current))


def _topics_nav(current: str) -> SafeString:
    context = {"current": current, "language": here()}
    return render_to_string("articles/topics_nav.html", context)


@register.simple_tag
def standing_pages() -> list[static_pages.PageLink]:
    """About, privacy."""
    return furniture.standing_pages(here())


@register.simple_tag
def week_box() -> SafeString:
    """The newest week at a glance."""
    return cached_fragment(("week box", here()), _week_box)


def _week_box() -> SafeString:
    newest = selectors.newest_week(here())
    context = {
        "masthead": furniture.masthead(),
        "week_page": selectors.week_page(newest, here()) if newest else None,
        "language": here(),
    }
    return render_to_string("articles/week_box.html", context)


@register.simple_tag
def related(article: Article) -> list[SafeString]:
    """Others on its topic. All of a topic's articles have the same few to choose from."""
    topic = article.topic
    if topic is None:
        return []
    newest = cached_fragment(("related", here(), topic.pk), lambda: _newest_of(topic))
    return [shown for pk, shown in newest if pk != article.pk][: selectors.RELATED]


def _newest_of(topic: Topic) -> list[tuple[int, SafeString]]:
    found = selectors.newest_of_topic(topic, here())
    return [
        (one.article.pk, render_to_string("articles/item.html", {"item": one})) for one in found
    ]


@register.simple_tag(takes_context=True)
def switcher(context: dict[str, Any]) -> list[selectors.Alternate]:
    """The same page in the other languages; a page that knows better says so itself."""
    if "alternates" in context:
        known: list[selectors.Alternate] = context["alternates"]
        return known
    path = context["request"].path
    head, _, tail = path.lstrip("/").partition("/")
    if not languages.is_language(head):
        return selectors.alternates("home", here())
    return [
        selectors.Alternate(code, languages.own_name(code), f"/{code}/{tail}", code == here(), True)
        for code in languages.codes()
    ]


@register.simple_tag
def is_listed(alternates: list[selectors.Alternate]) -> bool:
    """By search engines: a page that only says in which languages it is there is none to find."""
    return any(one.is_current and one.is_there for one in alternates)


class AddressLink(NamedTuple):
    """What a page's head says of its own address, and of the same page in another language."""

    rel: str
    hreflang: str
    href: str


@register.simple_tag
def addresses(alternates: list[selectors.Alternate]) -> list[AddressLink]:
    """Of every language it is there in, if search engines list it, and the one that is its own."""
    there = [(one.language, absolute(one.path)) for one in alternates if one.is_there]
    found = []
    for language, address in there if is_listed(alternates) else []:
        found.append(AddressLink("alternate", language, address))
        if language == languages.default():
            found.append(AddressLink("alternate", "x-default", address))
    own = [one.path for one in alternates if one.is_current and one.is_there]
    return found + [AddressLink("canonical", "", absolute(path)) for path in own]


@register.filter
def absolute(path: str) -> str:
    """On our own site, whatever mirror asks."""
    return f"{settings.SITE_URL}{path}"


@register.filter
def label(week: Week) -> str:
    """With its year."""
    return week.label(here())


@register.filter
def short_label(week: Week) -> str:
    """Without its year."""
    return week.short_label(here())


@register.filter
def day(moment: dt.datetime | None) -> str:
    """A date in the page's language."""
    return long_date(moment.date(), here()) if moment else ""


@register.filter
def locale(code: str) -> str:
    """A language as OpenGraph writes it."""
    return social_metadata.locale(code)


@register.filter
def language_name(code: str) -> str:
    """A language's name in the page's."""
    return languages.name(code, here())


@register.filter
def sanitised(body: str) -> SafeString:
    """A body as it is stored: the one sanitiser has seen it at save. Its pictures in all widths."""
    return mark_safe(renditions.shown(body))  # noqa: S308


@register.simple_tag
def picture(shown: Picture) -> SafeString:
    """A cover: the first picture of a page, so that it is not put off."""
    return shown.shown_in(here(), lazy=False).markup()


@register.filter
def alt(shown: Picture) -> str:
    """In the page's language only."""
    return shown.alt_in(here())


@register.simple_tag
def caption_parts(shown: Picture) -> list[str]:
    """The caption in the page's language only, and the credit, which is in none."""
    credit = format_html('<span lang="" translate="no">{}</span>', shown.credit)
    return [part for part in (shown.caption_in(here()), credit if shown.credit else "") if part]


@register.filter
def caption_line(shown: Picture) -> str:
    """The same in one line, for programs that know no style."""
    return " · ".join(part for part in (shown.caption_in(here()), shown.credit) if part)


@register.inclusion_tag("articles/verdict.html")
def verdict(article: Article) -> dict[str, Any]:
    """Shape and words, so that colour says nothing alone."""
    return {"verdict": article.verdict, "words": article.get_verdict_display}


@register.simple_tag
def digest_name(masthead: Masthead, week: Week) -> str:
    """What the week's digest is called where no page says which newsroom's it is."""
    title = masthead.digest_title
    return f"{title}: {week.label(here())}" if title else week.label(here())


@register.simple_tag
def feed_title(masthead: Masthead, topic: Topic | None = None) -> str:
    """What a reader's program calls the feed."""
    return feeds.title_of(masthead, topic)


@register.simple_tag
def home_path() -> str:
    """The first page in the page's language."""
    return reverse("home", args=[here()])
