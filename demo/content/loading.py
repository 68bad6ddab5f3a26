"""Loads the demo's content into the database."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from articles.editorial.digest_builder import build_digest
from articles.editorial.image_uploads import store_picture
from articles.editorial.saving import save_article
from articles.editorial.workflow import publish
from articles.images.decoder_process import ProcessedImage
from articles.images.image_decoder import process_trusted
from articles.models import Article, Author, Page, Picture, SiteSettings, Topic
from articles.public.static_pages import save_page
from core.weeks import Week
from demo.content.content import FOLDER, Content, DemoArticle, Named, Translated, read_content
from demo.content.covers import draw_cover

PREFIX = "demo-"
PUBLISHING_HOUR = dt.time(8, tzinfo=dt.UTC)
BETWEEN_ARTICLES = dt.timedelta(minutes=11)
UNTIL_CORRECTED = dt.timedelta(days=2)


@dataclass(frozen=True)
class DemoReport:
    """What was loaded."""

    articles: int = 0
    digests: int = 0
    nothing_because: str = ""

    def __str__(self) -> str:
        if self.nothing_because:
            return f"Nothing was loaded: {self.nothing_because}"
        return f"Loaded {self.articles} articles and {self.digests} digests."


def load_demo(owner: Any, now: dt.datetime, folder: Path = FOLDER) -> DemoReport:
    """Loads the demo's weeks, up to the last full one. Raises InvalidDemoContent.

    Does nothing if any demo article exists, or any article in these weeks.
    """
    if Article.objects.filter(imported_as__startswith=PREFIX).exists():
        return DemoReport(nothing_because="the demo is here already.")
    content = read_content(folder)
    newest = Week.last_full(now.date())
    weeks = {number: newest.previous(number - 1) for number in content.weeks}
    if Article.objects.filter(week__in=list(weeks.values())).exists():
        return DemoReport(nothing_because="the newsroom has articles of its own in these weeks.")
    # Before the transaction, which blocks other writers on SQLite.
    covers = draw_covers(content)
    with transaction.atomic():
        load_names(content)
        load_pages(content, owner, now)
        for number in sorted(weeks, reverse=True):
            load_week(content, number, weeks[number], covers, owner, now)
    return DemoReport(sum(len(articles) for articles in content.weeks.values()), len(weeks))


def draw_covers(content: Content) -> dict[tuple[int, str], ProcessedImage]:
    """Covers by number of the week and topic."""
    wanted = [
        (number, article.topic)
        for number, articles in content.weeks.items()
        for article in articles
    ]
    # Pillow releases the GIL.
    with ThreadPoolExecutor() as pool:
        drawn = pool.map(lambda cover: process_trusted(draw_cover(cover[1], cover[0])), wanted)
        return dict(zip(wanted, drawn, strict=True))


def load_names(content: Content) -> None:
    """Creates masthead, topics and authors that do not exist."""
    if not SiteSettings.current().name:
        masthead = SiteSettings.current()
        for field, translated in content.masthead.items():
            put_translated(masthead, field, translated)
        masthead.save()
    for position, topic in enumerate(content.topics, start=1):
        load_named(Topic(position=position), topic)
    for author in content.authors:
        load_named(Author(), author)


def load_pages(content: Content, owner: Any, now: dt.datetime) -> None:
    """Creates the static pages that do not exist."""
    for code, texts in content.pages.items():
        if not Page.objects.filter(code=code).exists():
            page = Page(code=code)
            for field, translated in texts.items():
                put_translated(page, field, translated)
            save_page(page, by=owner, now=now)


def load_named(row: Topic | Author, named: Named) -> None:
    """Saves a topic or author unless its code exists."""
    if not type(row).objects.filter(code=named.code).exists():
        row.code = named.code
        put_translated(row, "name", named.name)
        row.save()


def load_week(
    content: Content,
    number: int,
    week: Week,
    covers: dict[tuple[int, str], ProcessedImage],
    owner: Any,
    now: dt.datetime,
) -> None:
    """One week's articles, published on the Monday after it, and its digest."""
    first = dt.datetime.combine(week.next().monday, PUBLISHING_HOUR)
    for position, written in enumerate(content.weeks[number]):
        article = make_article(written, week, owner)
        # Not in the future.
        published_at = min(first + BETWEEN_ARTICLES * position, now)
        picture = Picture(credit=content.cover_credit)
        article.cover = store_picture(
            covers[number, written.topic], picture, by=owner, now=published_at
        )
        save_article(article, by=owner, now=published_at)
        article.authors.set(Author.objects.filter(code__in=written.authors))
        for text in written.texts:
            publish(article, text.language, published_at)
        if written.was:
            article.verdict = written.verdict
            save_article(article, by=owner, now=min(published_at + UNTIL_CORRECTED, now))
    digest = build_digest(week)
    put_translated(digest, "introduction", content.introductions.get(number, {}))
    digest.save()


def make_article(written: DemoArticle, week: Week, owner: Any) -> Article:
    """The article with its texts, not yet saved."""
    article = Article(
        topic=Topic.objects.get(code=written.topic),
        week=week,
        verdict=written.was or written.verdict,
        owner=owner,
        imported_as=f"{PREFIX}{week}-{written.topic}",
    )
    for text in written.texts:
        for field in ("title", "lead", "body"):
            setattr(article, f"{field}_{text.language}", getattr(text, field))
    return article


def put_translated(row: Any, field: str, translated: Translated) -> None:
    """Sets a field in each of the languages given."""
    for code, text in translated.items():
        setattr(row, f"{field}_{code}", text)
