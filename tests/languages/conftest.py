"""A small newsroom whose every text is Cyrillic, so that Latin words can only be interface."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
from django.contrib.auth.models import Group, Permission

from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Article, Author, Correction, Digest, SiteSettings, Topic
from articles.models.static_pages import PageCode
from core import languages
from newsletter.campaigns import approval
from newsletter.models import Edition, Mailing, Subscriber
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_page,
    make_subscriber,
    make_user,
)


@dataclass(frozen=True)
class Newsroom:
    """One row of each kind, and what is in which state."""

    published: Article
    draft: Article
    withdrawn: Article
    digest: Digest
    open_digest: Digest
    mailing: Mailing
    edition: Edition
    subscriber: Subscriber


@pytest.fixture(scope="module")
def made(shared_rows: None) -> Newsroom:
    names = {f"name_{code}": "Эліта" for code in languages.codes()}
    topic = Topic.objects.create(code="elite", position=1, **names)
    SiteSettings.objects.create(
        pk=SiteSettings.SINGLETON,
        **{
            f"{field}_{code}": "Погляд"
            for code in languages.codes()
            for field in ("name", "tagline", "digest_title")
        },
    )
    author = Author.objects.create(code="zubr", **{f"name_{c}": "Зубр" for c in languages.codes()})
    edition = make_edition(code="be-ru", name="Выпуск", sender_name="Рэдакцыя")
    subscriber = make_subscriber(edition=edition)
    published = make_article(
        topic=topic, verdict="worsened", title="Бюджэт", written_in=("be", "ru")
    )
    published.authors.add(author)
    for code in languages.codes():
        Correction.objects.create(
            article=published, language=code, corrected_at=MONDAY_MORNING, note="Лічба."
        )
    draft = make_article(topic=topic, week=WEEK.previous(), written_in=("be",), published_in=())
    make_article(topic=topic, week=WEEK.previous(), published_in=("be", "ru"))
    withdrawn = make_article(topic=topic, title="Памылка", written_in=("be", "ru"))
    withdrawn.mark_withdrawn(MONDAY_MORNING)
    published.verdict = "improved"
    save_article(published, by=make_user(), now=MONDAY_MORNING)
    for code in PageCode.values:
        make_page(code=code, title="Старонка", written_in=("be", "ru"))
    digest = build_digest(WEEK)
    [mailing] = approval.approve(digest, make_user(), MONDAY_MORNING)
    Group.objects.create(name="Аналітыкі").permissions.set(Permission.objects.all()[:3])
    unapproved = build_digest(WEEK.previous())
    return Newsroom(
        published, draft, withdrawn, digest, unapproved, mailing, edition, subscriber
    )  # fmt: skip


@pytest.fixture
def newsroom(made: Newsroom, db: None) -> Newsroom:
    """As each test finds it."""
    rows = (getattr(made, field.name) for field in fields(Newsroom))
    return Newsroom(*(type(row).objects.get(pk=row.pk) for row in rows))
