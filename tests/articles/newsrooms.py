"""A newsroom with some of everything that readers' pages show, and all its addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.models import Article, Author, Digest, Page, Picture, SiteSettings, Topic
from core.weeks import Week
from newsletter.campaigns import approval
from newsletter.models import Edition
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_page,
    make_picture,
    make_topic,
    make_user,
)

LAST_WEEK, EARLIER = WEEK.previous(), WEEK.previous().previous()
LISTS = ("", "weeks/", "barometer/", "feed.xml", "sitemap.xml", "sitemap-1.xml", "about/")


@dataclass
class Newsroom:
    """Two topics over three weeks; `new`, `last` and `early` are one topic's, `other` is alone."""

    masthead: SiteSettings
    edition: Edition
    elite: Topic
    media: Topic
    marta: Author
    anton: Author
    cover: Picture
    about: Page
    digest: Digest
    new: Article
    other: Article
    last: Article
    early: Article
    gone: Article
    draft: Article

    @property
    def articles(self) -> list[Article]:
        return [self.new, self.other, self.last, self.early, self.gone]

    def paths(self) -> list[str]:
        """One of each kind in Belarusian, some in another language, and `/`."""
        weeks = [f"weeks/{week}/" for week in (WEEK, LAST_WEEK, EARLIER)]
        topics = [f"topics/{topic.code}/" for topic in (self.elite, self.media)]
        feeds = [f"{topic}feed.xml" for topic in topics]
        authors = [f"authors/{author.code}/" for author in (self.marta, self.anton)]
        articles = [f"{article.pk}/" for article in self.articles]
        year = [f"barometer/{WEEK.year}/", f"barometer/{WEEK.year}.json"]
        kinds = [*LISTS, *weeks, *topics, *feeds, *authors, *articles, *year]
        others = [f"/ru/{self.last.pk}/", f"/en/{self.new.pk}/", f"/en/weeks/{WEEK}/"]
        return ["/", "/sitemap.xml", *others, *(f"/be/{kind}" for kind in kinds)]


def make_newsroom() -> Newsroom:
    """Its newest week has an approved digest; `last` has no Russian, `gone` was withdrawn."""
    masthead = SiteSettings.objects.create(pk=1, name_be="Погляд", digest_title_be="Сітуацыя")
    edition = make_edition(code="en")
    elite, media = make_topic(), make_topic(code="media", position=2)
    marta = Author.objects.create(code="zubr", name_be="Марта Зубр")
    anton = Author.objects.create(code="lis", name_be="Антон Ліс")
    cover = make_picture(caption_be="Плошча")

    def article(topic: Topic, week: Week, **about: Any) -> Article:
        made = make_article(topic=topic, week=week, **about)
        made.authors.add(marta)
        return made

    new = article(elite, WEEK, verdict="worsened", title="New", cover=cover)
    other = article(media, WEEK, verdict="improved", title="Other")
    last = article(elite, LAST_WEEK, title="Last", verdict="unchanged", published_in=("en", "be"))
    early = article(elite, EARLIER, title="Early", verdict="improved")
    gone = article(media, EARLIER, title="Gone")
    workflow.withdraw(gone, MONDAY_MORNING, by=make_user(), notes={"be": "Памылка."})
    draft = article(media, LAST_WEEK, title="Draft", published_in=())
    digest = build_digest(WEEK)
    approval.approve(digest, make_user(), MONDAY_MORNING)
    return Newsroom(
        masthead=masthead,
        edition=edition,
        elite=elite,
        media=media,
        marta=marta,
        anton=anton,
        cover=cover,
        about=make_page(),
        digest=Digest.objects.get(pk=digest.pk),
        new=new,
        other=other,
        last=last,
        early=early,
        gone=gone,
        draft=draft,
    )
