"""Saving, publishing, withdrawing, gathering."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from articles.editorial import workflow
from articles.editorial.digest_builder import EmptyWeek, build_digest
from articles.editorial.saving import save_article
from articles.models import Article, CannotPublish
from articles.signals import article_corrected, article_withdrawn
from core.weeks import Week
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


def states(article: Article) -> dict[str, str]:
    return dict(article.article_languages.values_list("language", "status"))


def save(article: Article) -> list[str]:
    return save_article(article, by=make_user(), now=NOW)


def test_a_draft_that_was_emptied_is_missing_again() -> None:
    article = make_article(written_in=("en", "be"), published_in=())
    article.title_be = article.lead_be = ""
    article.body_be = "<p>&nbsp;</p>"
    save(article)
    assert states(article) == {"en": "draft"}


def test_a_change_of_markup_is_a_revision_and_only_a_change_of_text_another_fingerprint() -> None:
    article = make_article()
    before = article.article_languages.get(language="en")
    article.body_en = "<p>The <em>budget</em>  grows.</p>"
    assert save(article) == ["en"]
    row = article.article_languages.get(language="en")
    assert (row.revision, row.fingerprint) == (before.revision + 1, before.fingerprint)
    article.body_en = "<p>The budget shrinks.</p>"
    assert save(article) == ["en"]
    row = article.article_languages.get(language="en")
    assert row.revision == before.revision + 2
    assert row.fingerprint != before.fingerprint
    assert save(article) == []


def test_a_corrected_public_text_is_told_and_a_draft_is_not() -> None:
    heard: list[list[str]] = []

    def hear(languages: list[str], **_kwargs: object) -> None:
        heard.append(languages)

    article_corrected.connect(hear, weak=False, dispatch_uid="test")
    try:
        article = make_article(published_in=("en",))
        article.title_be = "Новы"
        save(article)
        article.title_en = "New"
        save(article)
    finally:
        article_corrected.disconnect(dispatch_uid="test")
    assert heard == [["en"]]


def test_what_is_not_whole_is_not_published() -> None:
    article = make_article(written_in=("en", "ru"), published_in=())
    article.topic = article.week = None
    article.title_en = article.body_ru = ""  # type: ignore[attr-defined]
    save(article)
    reasons = {"en": "title in English", "ru": "body in Русский", "be": "title in Беларуская"}
    for language, reason in reasons.items():
        with pytest.raises(CannotPublish, match=reason) as refused:
            workflow.publish(article, language, NOW)
        assert "no topic" in str(refused.value)
        assert "no week" in str(refused.value)
    assert not Article.objects.public().exists()


@pytest.mark.both_databases
def test_publishing_twice_keeps_the_first_date() -> None:
    article = make_article(published_in=())
    assert workflow.publish(article, "en", NOW)
    assert not workflow.publish(article, "en", NOW + dt.timedelta(days=1))
    workflow.withdraw_language(article, "en", NOW + dt.timedelta(days=2))
    assert workflow.publish(article, "en", NOW + dt.timedelta(days=3))
    assert article.article_languages.get(language="en").published_at == NOW


def test_withdrawing_one_language_leaves_the_others() -> None:
    article = make_article()
    assert workflow.withdraw_language(article, "ru", NOW)
    assert not workflow.withdraw_language(article, "ru", NOW)
    assert not Article.objects.in_language("ru").exists()
    assert Article.objects.in_language("be").exists()


def test_withdrawing_all_of_it_is_told_once() -> None:
    heard: list[list[str]] = []

    def hear(languages: list[str], **_kwargs: object) -> None:
        heard.append(languages)

    article_withdrawn.connect(hear, weak=False, dispatch_uid="test")
    try:
        article = make_article()
        assert workflow.withdraw(article, NOW)
        assert not workflow.withdraw(article, NOW)
    finally:
        article_withdrawn.disconnect(dispatch_uid="test")
    assert heard == [["en", "be", "ru"]]
    assert not Article.objects.public().exists()
    article.article_languages.get(language="be").withdraw(MONDAY_MORNING)
    with pytest.raises(CannotPublish, match="withdrawn"):
        workflow.publish(article, "be", NOW)


@pytest.mark.both_databases
def test_one_verdict_per_topic_and_week_among_articles_not_withdrawn() -> None:
    first = make_article(verdict="improved")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_article(verdict="worsened")
    make_article(verdict="")
    make_article(verdict="")
    workflow.withdraw(first, NOW)
    make_article(verdict="worsened")


# --- Gathering -----------------------------------------------------------------------


def test_a_digest_gathers_the_weeks_published_articles_in_the_order_of_topics() -> None:
    second = make_article(topic=make_topic(code="west", position=2))
    first = make_article(topic=make_topic(code="elite", position=1))
    make_article(topic=make_topic(code="society", position=3), published_in=())
    make_article(week=WEEK.previous())
    assert build_digest(WEEK).ordered_articles() == [first, second]


@pytest.mark.both_databases
def test_gathering_again_adds_at_the_end_and_keeps_an_editors_order() -> None:
    make_article(topic=make_topic(code="west", position=2))
    digest = build_digest(WEEK)
    late = make_article(topic=make_topic(code="elite", position=1))
    assert build_digest(WEEK) == digest
    assert digest.ordered_articles()[-1] == late
    assert digest.entries.count() == 2


def test_an_empty_week_makes_no_digest() -> None:
    with pytest.raises(EmptyWeek, match="16–22 November 2026"):
        build_digest(WEEK)


@pytest.mark.both_databases
def test_a_week_column_takes_only_mondays() -> None:
    article = make_article()
    article.refresh_from_db()
    assert article.week == WEEK
    assert isinstance(article.week, Week)
