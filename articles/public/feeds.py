"""Atom feeds (RFC 4287) with full texts, by language and topic.

A feed has texts of its own language only. A corrected text moves to the top under the same id; a
withdrawn one is replaced by a deleted-entry (RFC 6721), which tells feed readers and mirrors to
drop their copies.
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

from articles.models import ArticleLanguage, Author, SiteSettings, Topic
from articles.models.languages import PUBLIC, ArticleLanguageQuerySet
from articles.text import sanitizer
from keys import tokens

PAGE_SIZE = 20
TOMBSTONES_NAMESPACE = "http://purl.org/atompub/tombstones/1.0"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""`updated` of an empty feed, which must have one."""


@dataclass(frozen=True)
class Feed:
    """A language's feed, or a topic's in it. Page 1 is the newest."""

    language: str
    topic: Topic | None = None
    page: int = 1

    def path(self, page: int) -> str:
        """Of one page; the first has no number."""
        topic = [self.topic.code] if self.topic else []
        number = [page] if page > 1 else []
        return reverse("topic_feed" if topic else "feed", args=[self.language, *topic, *number])

    @property
    def id_parts(self) -> tuple[str, ...]:
        """For `atom_id`. All pages of a feed have one id."""
        return ("feed", self.language, *([self.topic.code] if self.topic else []))

    @property
    def html_url(self) -> str:
        """The HTML page with the same texts."""
        if self.topic:
            return tokens.absolute_url("topic", self.language, self.topic.code)
        return tokens.absolute_url("home", self.language)

    def rows(self) -> ArticleLanguageQuerySet:
        """Every text that is or was in the feed."""
        found = ArticleLanguage.objects.once_public().filter(language=self.language)
        return found.filter(article__topic=self.topic) if self.topic else found

    def entries(self) -> Page[ArticleLanguage]:
        """One page of texts, last changed first. Raises Http404."""
        public = self.rows().public().article_not_withdrawn().select_related("article__topic")
        public = public.select_related("article__cover").prefetch_related(
            "article__article_languages", "article__authors", "article__corrections"
        )
        newest = Paginator(public.order_by("-changed_at", "-article_id"), PAGE_SIZE)
        try:
            return newest.page(self.page)
        except EmptyPage:
            raise Http404 from None

    def deleted_entries(self) -> list[tuple[int, dt.datetime]]:
        """Articles withdrawn last, and when."""
        gone = self.rows().filter(~Q(status__in=PUBLIC) | Q(article__withdrawn_at__isnull=False))
        when = Coalesce("article__withdrawn_at", "changed_at")
        newest = gone.annotate(when=when).order_by("-when", "-article_id")
        return list(newest.values_list("article", "when")[:PAGE_SIZE])


def last_modified(language: str) -> dt.datetime | None:
    """The last change in any of a language's feeds: an article's move changes two topics'."""
    rows = ArticleLanguage.objects.once_public().filter(language=language)
    dates = rows.aggregate(changed=Max("changed_at"), withdrawn=Max("article__withdrawn_at"))
    return max((date for date in dates.values() if date), default=None)


def atom_id(masthead: SiteSettings, *parts: object) -> str:
    """A UUID URN: independent of host, title and slug, so that it never changes."""
    return uuid.uuid5(masthead.namespace, "/".join(map(str, parts))).urn


def feed_title(masthead: SiteSettings, topic: Topic | None) -> str:
    """The newsroom's name and the topic."""
    name = masthead.name or _("Newsroom")
    return f"{name}: {topic}" if topic else name


def render_atom(feed: Feed) -> bytes:
    """The document, in the active language, which must be the feed's. Raises Http404."""
    masthead, page = SiteSettings.current(), feed.entries()
    withdrawn = feed.deleted_entries() if feed.page == 1 else []
    dates = [row.changed_at for row in page] + [when for _article, when in withdrawn]
    document = AtomFeed(
        title=sanitizer.without_invalid_xml(feed_title(masthead, feed.topic)),
        link=feed.html_url,
        description=None,
        language=feed.language,
        author_name=sanitizer.without_invalid_xml(masthead.name or _("Newsroom")),
        subtitle=sanitizer.without_invalid_xml(masthead.tagline) or None,
        feed_url=settings.SITE_URL + feed.path(feed.page),
        feed_guid=atom_id(masthead, *feed.id_parts),
        updated=max((date for date in dates if date), default=EPOCH),
        pages=_pages(feed, page),
        deleted=[(atom_id(masthead, "article", pk, feed.language), when) for pk, when in withdrawn],
    )
    for row in page:
        _add_entry(document, masthead, row)
    return document.writeString("utf-8").encode()


def _pages(feed: Feed, page: Page[ArticleLanguage]) -> list[tuple[str, str]]:
    """Links to the other pages (RFC 5005, paged feeds)."""
    found = {"first": 1, "last": page.paginator.num_pages}
    if page.has_previous():
        found["previous"] = page.previous_page_number()
    if page.has_next():
        found["next"] = page.next_page_number()
    return [(rel, settings.SITE_URL + feed.path(number)) for rel, number in found.items()]


def _add_entry(document: AtomFeed, masthead: SiteSettings, row: ArticleLanguage) -> None:
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
        title=sanitizer.without_invalid_xml(text.title),
        link=address,
        description=sanitizer.without_invalid_xml(text.lead),
        pubdate=row.published_at,
        updateddate=row.changed_at,
        unique_id=atom_id(masthead, "article", article.pk, row.language),
        authors=_names(article.authors.all()),
        labels=[(term, sanitizer.without_invalid_xml(label)) for term, label in labels],
        content=sanitizer.without_invalid_xml(sanitizer.with_absolute_urls(content, address)),
    )


def _names(authors: Iterable[Author]) -> list[str]:
    return [sanitizer.without_invalid_xml(str(author)) for author in authors]


class AtomFeed(Atom1Feed):
    """Django's, with full texts, several authors, category labels, paging and deleted entries."""

    def root_attributes(self) -> dict[str, str]:
        return {**super().root_attributes(), "xmlns:at": TOMBSTONES_NAMESPACE}

    def latest_post_date(self) -> dt.datetime:
        # Django's returns the current time for an empty feed.
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
