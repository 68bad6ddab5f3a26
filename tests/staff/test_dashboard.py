"""The first page: the week, what waits, what is stale, what was typed, what goes next."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Article, Draft, Topic
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from staff import roles
from tests.articles.browser import visible_text
from tests.articles.requests import count_queries
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_subscriber,
    make_topic,
    make_user,
)

pytestmark = pytest.mark.django_db
FIRST = "/admin/"


def window(name: str, role: str = "") -> Client:
    user = make_user(username=name, is_superuser=not role, enrolled=not role)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def test_a_user_without_permissions_sees_a_notice() -> None:
    make_user(username="new", is_superuser=False)
    client = Client()
    client.force_login(make_user(username="new"))
    assert "There is nothing here for you yet." in visible_text(client.get(FIRST))


def test_the_week_that_is_written_and_the_one_that_waits_for_approval_are_shown() -> None:
    make_article(published_in=("en",))
    make_edition()
    page = visible_text(window("editor").get(FIRST))
    assert "16–22 November 2026" in page
    assert "23–29 November 2026" in page
    approval.approve(build_digest(WEEK), make_user(), MONDAY_MORNING)
    page = window("editor").get(FIRST).content.decode()
    assert "<h3>16–22 November 2026</h3>" not in page
    assert "<h3>23–29 November 2026</h3>" in page


def test_an_editor_sees_what_waits_for_review_and_what_missed_its_hour() -> None:
    article = make_article(title="In review", published_in=())
    workflow.submit_for_review(article, "be")
    missed = make_article(title="Missed", topic=make_topic(code="west"), published_in=())
    hour = MONDAY_MORNING - (MONDAY_MORNING - MONDAY_MORNING.replace(hour=5))
    workflow.schedule(missed, "en", MONDAY_MORNING, hour, by=missed.owner)
    Article.objects.filter(pk=missed.pk).update(week=None)
    workflow.publish_due(MONDAY_MORNING)
    page = visible_text(window("editor").get(FIRST))
    assert "In review en" in page
    assert "It should have been published on 23 November 2026, 07:00 and was not." in page
    assert "The article has no week." in page


def test_an_analyst_sees_requested_changes_of_own_articles_only() -> None:
    client = window("analyst", roles.ANALYST)
    own = make_article(title="Mine", owner=make_user(username="analyst"), published_in=())
    workflow.submit_for_review(own, "en")
    workflow.request_changes(own, "en", "Name the source.")
    other = make_article(title="Theirs", topic=make_topic(code="west"), published_in=())
    workflow.submit_for_review(other, "en")
    page = client.get(FIRST)
    assert "Sent back: Name the source." in visible_text(page)
    waits = page.content.decode().split('aria-labelledby="panel-2"')[0]
    assert "Theirs en" not in waits


def test_submitted_changes_are_listed_for_publishers() -> None:
    article = make_article()
    Draft.objects.create(
        owner=make_user(username="analyst"),
        article=article,
        language="be",
        title="Іначай",
        saved_at=MONDAY_MORNING,
        handed_in_at=MONDAY_MORNING,
    )
    page = window("editor").get(FIRST)
    assert "analyst handed in changes on 23 November 2026" in visible_text(page)
    assert f"?draft={Draft.objects.get().pk}&amp;tab=" in page.content.decode()


def test_a_translator_sees_their_own_stale_translations_with_the_reason() -> None:
    client = window("translator", roles.TRANSLATOR)
    article = make_article(written_in=("ru",), published_in=())
    article.title_be, article.body_be = "Бюджэт", "<p>Расце.</p>"
    save_article(article, by=make_user(username="translator"), now=MONDAY_MORNING)
    assert "Stale translations" not in visible_text(client.get(FIRST))
    article.title_ru = "Иначе"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    page = client.get(FIRST)
    assert "The text in Русский has changed since this translation was made." in visible_text(page)
    assert f"/admin/articles/article/{article.pk}/translate/be/?from=ru" in page.content.decode()
    assert "Stale translations" not in visible_text(window("analyst", roles.ANALYST).get(FIRST))


def test_what_was_typed_into_an_article_that_is_gone_is_shown_whole() -> None:
    client = window("editor")
    article = make_article(published_in=())
    Draft.objects.create(
        owner=make_user(),
        article=article,
        language="be",
        title="Набрана",
        body="<p>Увесь тэкст.</p>",
        saved_at=MONDAY_MORNING,
    )
    assert "Набрана" in visible_text(client.get(FIRST))
    article.delete()
    page = visible_text(client.get(FIRST))
    assert "Somebody deleted the article that you typed this into." in page
    assert "Увесь тэкст." in page
    assert "Набрана" not in visible_text(window("second").get(FIRST)), "what others type is theirs"


def test_the_next_letters_and_those_on_their_way_are_shown() -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    make_article(published_in=("en",))
    client = window("editor")
    assert "Digest: not gathered yet" in visible_text(client.get(FIRST))
    [mailing] = approval.approve(build_digest(WEEK), make_user(), MONDAY_MORNING)
    mailings.launch(mailing, MONDAY_MORNING)
    mailings.pause(mailing, MONDAY_MORNING, why="Paused by hand.")
    page = visible_text(client.get(FIRST))
    assert "0 of 1 letters have gone." in page
    assert "Paused by hand." in page
    assert "Letters" not in visible_text(window("analyst", roles.ANALYST).get(FIRST))


def test_the_page_asks_the_database_as_often_for_much_work_as_for_little() -> None:
    client = window("editor")

    def more_work(number: int) -> None:
        article = make_article(
            title=f"No {number}", topic=make_topic(code=f"t{number}"), published_in=("en",)
        )
        workflow.submit_for_review(article, "be")
        article.article_languages.get(language="ru").set_source("en", "1:old")
        Draft.objects.create(
            owner=make_user(), article=article, language="be", title="T", saved_at=MONDAY_MORNING
        )

    make_edition()
    more_work(0)
    few = count_queries(client, FIRST)
    for number in range(1, 12):
        more_work(number)
    assert Topic.objects.count() == 12
    assert count_queries(client, FIRST) == few <= 40
