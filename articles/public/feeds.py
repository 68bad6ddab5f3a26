"""Feeds (Atom, RFC 4287): a language's public texts in full, all of them or one topic's.

Only what is public in that language is in them, never another language's text instead. What is
corrected comes first again with the same id; what is withdrawn is gone at once, and its id is
named as deleted (RFC 6721), so that a reader or mirror that obeys drops its copy too.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.xmlreader import AttributesImpl

from django.conf import settings
from django.core.paginator import EmptyPage, Page, Paginator
from django.db.models import Max, Q
from django.db.models.functions import Coalesce
from django.http import Http404
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed, rfc3339_date
from django.utils.translation import gettext as _
from django.utils.xmlutils import SimplerXMLGenerator

from articles.models import ArticleLanguage, Author, Masthead, Topic
from articles.models.languages import PUBLIC, ArticleLanguageQuerySet
from articles.text import sanitizer
from keys import tokens

ON_A_PAGE = 20
TOMBSTONES = "http://purl.org/atompub/tombstones/1.0"
NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""An empty feed has to say when it changed, too."""


@dataclass(frozen=True)
class Feed:
    """Which one: a language's, or a topic's in it. `page` counts back from the newest."""

    language: str
    topic: Topic | None = None
    page: int = 1

    def at(self, page: int) -> str:
        """Its path; the first page's names no number."""
        of = [self.topic.code] if self.topic else []
        number = [page] if page > 1 else []
        return reverse("topic_feed" if of else "feed", args=[self.language, *of, *number])

    @property
    def key(self) -> tuple[str, ...]:
        """What its id is made of. All its pages are one feed."""
        return ("feed", self.language, *([self.topic.code] if self.topic else []))

    @property
    def home(self) -> str:
        """The page with the same texts."""
        if self.topic:
            return tokens.absolute("topic", self.language, self.topic.code)
        return tokens.absolute("home", self.language)

    def rows(self) -> ArticleLanguageQuerySet:
        """Every text that is or was in it."""
        found = ArticleLanguage.objects.once_public().filter(language=self.language)
        return found.filter(article__topic=self.topic) if self.topic else found

    def entries(self) -> Page[ArticleLanguage]:
        """One page of its texts, last changed first. Raises Http404."""
        public = self.rows().public().of_living_articles().select_related("article__topic")
        public = public.select_related("article__cover").prefetch_related(
            "article__article_languages", "article__authors", "article__corrections"
        )
        newest = Paginator(public.order_by("-changed_at", "-article_id"), ON_A_PAGE)
        try:
            return newest.page(self.page)
        except EmptyPage:
            raise Http404 from None

    def withdrawn(self) -> list[tuple[int, dt.datetime]]:
        """The articles that were in it and went last, and when they did."""
        gone = self.rows().filter(~Q(status__in=PUBLIC) | Q(article__withdrawn_at__isnull=False))
        when = Coalesce("article__withdrawn_at", "changed_at")
        newest = gone.annotate(when=when).order_by("-when", "-article_id")
        return list(newest.values_list("article", "when")[:ON_A_PAGE])


def last_modified(language: str) -> dt.datetime | None:
    """When anything came into a language's feeds, changed there or left them.

    Of all topics: what is moved from one to another changes both.
    """
    rows = ArticleLanguage.objects.once_public().filter(language=language)
    dates = rows.aggregate(changed=Max("changed_at"), withdrawn=Max("article__withdrawn_at"))
    return max((date for date in dates.values() if date), default=None)


def identifier(masthead: Masthead, *parts: object) -> str:
    """The one place for ids: they say nothing of hosts, titles or slugs, so they never change."""
    return uuid.uuid5(masthead.namespace, "/".join(map(str, parts))).urn


def title_of(masthead: Masthead, topic: Topic | None) -> str:
    """What a feed is called in a reader's list."""
    name = masthead.name or _("Newsroom")
    return f"{name}: {topic}" if topic else name


def as_atom(feed: Feed) -> bytes:
    """The document, in the language of the moment, which is to be the feed's. Raises Http404."""
    masthead, page = Masthead.current(), feed.entries()
    withdrawn = feed.withdrawn() if feed.page == 1 else []
    dates = [row.changed_at for row in page] + [when for _article, when in withdrawn]
    document = Atom(
        title=sanitizer.for_xml(title_of(masthead, feed.topic)),
        link=feed.home,
        description=None,
        language=feed.language,
        author_name=sanitizer.for_xml(masthead.name or _("Newsroom")),
        subtitle=sanitizer.for_xml(masthead.tagline) or None,
        feed_url=settings.SITE_URL + feed.at(feed.page),
        feed_guid=identifier(masthead, *feed.key),
        updated=max((date for date in dates if date), default=NEVER),
        pages=_pages(feed, page),
        deleted=[
            (identifier(masthead, "article", pk, feed.language), when) for pk, when in withdrawn
        ],
    )
    for row in page:
        _add(document, masthead, row)
    return document.writeString("utf-8").encode()


def _pages(feed: Feed, page: Page[ArticleLanguage]) -> list[tuple[str, str]]:
    """RFC 5005: where the other pages are."""
    found = {"first": 1, "last": page.paginator.num_pages}
    if page.has_previous():
        found["previous"] = page.previous_page_number()
    if page.has_next():
        found["next"] = page.next_page_number()
    return [(rel, settings.SITE_URL + feed.at(number)) for rel, number in found.items()]


def _add(document: Atom, masthead: Masthead, row: ArticleLanguage) -> None:
    article, text = row.article, row.article.text_in(row.language)
    address = settings.SITE_URL + article.path_in(row.language)
    corrections = [one for one in article.corrections.all() if one.language == row.language]
    content = render_to_string(
        "articles/feed_entry.html", {"article": article, "text": text, "corrections": corrections}
    )
    labels = [(article.topic.code, str(article.topic))] if article.topic else []
    if article.verdict:
        labels.append((article.verdict, article.get_verdict_display()))
    document.add_item(
        title=sanitizer.for_xml(text.title),
        link=address,
        description=sanitizer.for_xml(text.lead),
        pubdate=row.published_at,
        updateddate=row.changed_at,
        unique_id=identifier(masthead, "article", article.pk, row.language),
        authors=_names(article.authors.all()),
        labels=[(term, sanitizer.for_xml(label)) for term, label in labels],
        content=sanitizer.for_xml(sanitizer.absolute(content, address)),
    )


def _names(authors: Iterable[Author]) -> list[str]:
    return [sanitizer.for_xml(str(author)) for author in authors]


class Atom(Atom1Feed):
    """Django's, with full texts, several authors, labels, pages, and what was deleted."""

    def root_attributes(self) -> dict[str, str]:
        return {**super().root_attributes(), "xmlns:at": TOMBSTONES}

    def latest_post_date(self) -> dt.datetime:
        # Django's reads the clock where nothing is in the feed.
        updated: dt.datetime = self.feed["updated"]
        return updated

    def add_root_elements(self, handler: SimplerXMLGenerator) -> None:
        super().add_root_elements(handler)
        for rel, address in self.feed["pages"]:
            handler.addQuickElement("link", "", {"rel": rel, "href": address})
        for ref, when in self.feed["deleted"]:
            handler.addQuickElement(
                "at:deleted-entry", "", {"ref": ref, "when": rfc3339_date(when)}
            )

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        handler.addQuickElement("title", item["title"])
        handler.addQuickElement(
            "link", "", {"rel": "alternate", "type": "text/html", "href": item["link"]}
        )
        handler.addQuickElement("id", item["unique_id"])
        handler.addQuickElement("published", rfc3339_date(item["pubdate"]))
        handler.addQuickElement("updated", rfc3339_date(item["updateddate"]))
        for name in item["authors"]:
            handler.startElement("author", AttributesImpl({}))
            handler.addQuickElement("name", name)
            handler.endElement("author")
        for term, label in item["labels"]:
            handler.addQuickElement("category", "", {"term": term, "label": label})
        if item["description"]:
            handler.addQuickElement("summary", item["description"])
        handler.addQuickElement("content", item["content"], {"type": "html"})
