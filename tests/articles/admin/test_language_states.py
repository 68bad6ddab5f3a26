"""An article's languages each have a state of their own, changed by buttons that say what."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.editorial.workflow import ScheduledInPast
from articles.models import Article, ArticleLanguage, CannotPublish, Status
from core.states import InvalidTransition
from newsletter.management.commands import run_due as tick_command
from staff.models import AuditAction, AuditEntry
from tests.articles.browser import analyst_client, change_url, form_data_of, visible_text
from tests.factories import MONDAY_MORNING, make_article, make_user

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def status(article: Article, language: str = "en") -> str:
    return article.article_languages.get(language=language).status


def press(desk: Client, article: Article, button: str, **typed: Any) -> str:
    """Presses a language's button and reads the page that follows."""
    name, _space, value = button.rpartition(" ")
    sent = form_data_of(article, **{name or "_do": value}, **typed)
    page = desk.post(change_url(article), sent, follow=True)
    article.refresh_from_db()
    return visible_text(page)


# --- Review --------------------------------------------------------------------------


def test_an_analyst_hands_in_and_an_editor_sends_back_and_says_why(desk: Client) -> None:
    analyst = analyst_client()
    article = make_article(owner=User.objects.get(username="analyst"), published_in=())
    assert "English waits for an editor." in press(analyst, article, "submit-for-review:en")
    assert status(article) == Status.REVIEW
    assert status(article, "be") == Status.DRAFT, "each language by itself"
    press(desk, article, "request-changes:en", remark_en="Name the source.")
    assert status(article) == Status.DRAFT
    assert "Sent back: Name the source." in visible_text(analyst.get(change_url(article)))


def test_only_who_may_publish_publishes_schedules_and_sends_back() -> None:
    analyst = analyst_client()
    article = make_article(owner=User.objects.get(username="analyst"), published_in=())
    workflow.submit_for_review(article, "en")
    later = "2027-01-01T09:00"
    for button in ("request-changes:en", "schedule:en", "_publish en", "return-draft:en"):
        press(analyst, article, button, schedule_en=later)
    assert status(article) == Status.REVIEW
    page = analyst.get(change_url(article)).content.decode()
    assert not re.search(r'name="(_publish|remark_\w+|schedule_\w+)"', page)


def test_nonsense_verbs_do_nothing(desk: Client) -> None:
    article = make_article(published_in=())
    for button in ("fly:en", "submit-for-review:xx", "submit-for-review", ":", "_publish xx"):
        press(desk, article, button)
    assert status(article) == Status.DRAFT


def test_a_public_language_is_neither_handed_in_nor_sent_back() -> None:
    article = make_article()
    for verb in (workflow.submit_for_review, workflow.request_changes):
        with pytest.raises(InvalidTransition):
            verb(article, "en")
    with pytest.raises(InvalidTransition):
        workflow.schedule(article, "en", MONDAY_MORNING + HOUR, MONDAY_MORNING, by=article.owner)


@pytest.mark.both_databases
def test_each_change_is_safe_to_repeat() -> None:
    article, at = make_article(published_in=()), MONDAY_MORNING + HOUR
    assert [workflow.submit_for_review(article, "en") for _ in range(2)] == [True, False]
    schedule = [
        workflow.schedule(article, "en", at, MONDAY_MORNING, by=article.owner) for _ in range(2)
    ]
    assert schedule == [True, False]
    assert [workflow.request_changes(article, "en") for _ in range(2)] == [True, False]
    assert [workflow.publish(article, "en", at) for _ in range(2)] == [True, False]


# --- The schedule --------------------------------------------------------------------


def scheduled(article: Article, language: str = "en", at: dt.datetime = MONDAY_MORNING) -> None:
    workflow.schedule(article, language, at, at - HOUR, by=article.owner)


@pytest.mark.both_databases
def test_a_scheduled_language_publishes_itself_at_its_hour() -> None:
    article = make_article(published_in=())
    scheduled(article)
    assert workflow.publish_due(MONDAY_MORNING - dt.timedelta(seconds=1)) == 0
    assert article.public_languages == []
    assert workflow.publish_due(MONDAY_MORNING) == 1
    article.refresh_from_db()
    assert article.public_languages == ["en"]
    assert workflow.publish_due(MONDAY_MORNING) == 0


def test_one_that_cannot_go_waits_for_a_person_and_the_rest_go_out(desk: Client) -> None:
    articles = [make_article(title=str(number), published_in=()) for number in range(3)]
    for article in articles:
        scheduled(article)
    Article.objects.filter(pk=articles[0].pk).update(week=None)
    assert workflow.publish_due(MONDAY_MORNING) == 2
    row = articles[0].article_languages.get(language="en")
    assert (row.status, row.missed_at) == (Status.REVIEW, MONDAY_MORNING)
    page = visible_text(desk.get(change_url(articles[0])))
    assert "It should have been published on" in page
    assert "The article has no week." in page


@pytest.mark.both_databases
def test_one_that_breaks_is_tried_again_and_the_rest_go_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    articles = [make_article(title=str(number), published_in=()) for number in range(3)]
    for article in articles:
        scheduled(article)
    broken = articles[1].article_languages.get(language="en").pk

    def one(pk: int, now: dt.datetime) -> bool:
        if pk == broken:
            raise DatabaseError("for once")
        return workflow.publish_scheduled(pk, now)

    assert workflow.publish_due(MONDAY_MORNING, one) == 2
    assert f"Scheduled text {broken} could not be published." in caplog.text
    assert workflow.publish_due(MONDAY_MORNING) == 1


def test_a_withdrawn_article_does_not_publish_itself() -> None:
    article = make_article(published_in=("be",))
    scheduled(article)
    workflow.withdraw(article, MONDAY_MORNING)
    assert workflow.publish_due(MONDAY_MORNING) == 0
    article.refresh_from_db()
    assert article.public_languages == []


def test_the_hour_is_chosen_in_the_form_and_may_be_taken_back(desk: Client) -> None:
    article = make_article(published_in=())
    with time_machine.travel(MONDAY_MORNING, tick=False):
        press(desk, article, "schedule:en", schedule_en="2026-11-24T09:30")
    row = article.article_languages.get(language="en")
    assert row.scheduled_for == dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)
    assert row.scheduled_by == make_user()
    press(desk, article, "request-changes:en")
    assert status(article) == Status.DRAFT
    assert workflow.publish_due(row.scheduled_for) == 0


def test_an_hour_that_cannot_be_is_said_beside_it_and_nothing_typed_is_lost(desk: Client) -> None:
    article = make_article(published_in=())
    for hour, told in {
        "2020-01-01T09:00": "This time is over. Choose one that is still to come.",
        "": "Choose a day and an hour first.",
        "soon": "Enter a valid date/time.",
        "99999-01-01T00:00": "Enter a valid date/time.",
    }.items():
        sent = form_data_of(article, _do="schedule:en", schedule_en=hour, title_en="Typed")
        page = desk.post(change_url(article), sent)
        assert told in visible_text(page)
        assert 'value="Typed"' in page.content.decode()
        assert not hour or f'value="{hour}"' in page.content.decode()
        assert status(article) == Status.DRAFT


def test_what_is_not_fit_is_not_scheduled(desk: Client) -> None:
    article = make_article(published_in=(), week=None)
    later = f"{timezone.now() + HOUR:%Y-%m-%dT%H:%M}"
    assert "The article has no week." in press(desk, article, "schedule:en", schedule_en=later)
    assert status(article) == Status.DRAFT
    with pytest.raises(ScheduledInPast):
        workflow.schedule(article, "en", MONDAY_MORNING, MONDAY_MORNING, by=None)
    with pytest.raises(CannotPublish):
        workflow.schedule(article, "en", MONDAY_MORNING + HOUR, MONDAY_MORNING, by=None)


def test_an_analyst_does_not_change_a_scheduled_text_past_its_editor() -> None:
    analyst = analyst_client()
    article = make_article(owner=User.objects.get(username="analyst"), published_in=())
    scheduled(article)
    told = press(analyst, article, "_continue 1", title_en="Otherwise")
    assert "Your changes in English wait for an editor" in told
    assert article.title_en == "The budget en"


def test_the_tick_publishes_too(desk: Client, capsys: pytest.CaptureFixture[str]) -> None:
    article = make_article(published_in=())
    scheduled(article)
    with time_machine.travel(MONDAY_MORNING, tick=False):
        tick_command.Command().handle()
    assert "1 texts published" in capsys.readouterr().out
    article.refresh_from_db()
    assert article.public_languages == ["en"]


# --- Stale ---------------------------------------------------------------------------


def translated() -> Article:
    """Written in Russian, then translated into Belarusian."""
    article = make_article(written_in=("ru",), published_in=())
    article.title_be, article.body_be = "Бюджэт", "<p>Бюджэт расце.</p>"
    save_article(article, by=make_user(username="translator"), now=MONDAY_MORNING)
    return Article.objects.get()


def edit(article: Article, **texts: str) -> Article:
    for name, text in texts.items():
        setattr(article, name, text)
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    return Article.objects.get()


def test_editing_the_source_makes_its_translation_stale_and_putting_it_back_clears_it(
    desk: Client,
) -> None:
    article = translated()
    before = article.body_ru
    article = edit(article, body_ru="<p>Бюджет сокращён.</p>")
    assert article.stale_languages == ["be"]
    assert [row.language for row in ArticleLanguage.objects.stale()] == ["be"]
    page = visible_text(desk.get(change_url(article)))
    assert "The text in Русский has changed since this translation was made." in page
    article = edit(article, body_ru=before)
    assert article.stale_languages == []
    assert not ArticleLanguage.objects.stale().exists()


def test_a_change_of_markup_makes_nothing_stale() -> None:
    article = translated()
    bold = article.body_ru.replace("Бюджет", "<strong>Бюджет</strong>")
    assert edit(article, body_ru=bold).stale_languages == []


def test_staleness_is_not_handed_on_along_chains() -> None:
    article = translated()
    article.title_en = "The budget"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    article.article_languages.get(language="en").set_source(
        "be", article.article_languages.get(language="be").fingerprint
    )
    article = edit(Article.objects.get(), title_ru="Иначе")
    assert article.stale_languages == ["be"]


def test_still_right_rests_the_translation_on_the_source_as_it_is(desk: Client) -> None:
    article = edit(translated(), title_ru="Иначе")
    press(desk, article, "mark-current:be")
    article = Article.objects.get()
    assert article.stale_languages == []
    row = article.article_languages.get(language="be")
    assert row.translator is not None
    assert row.translator.username == "translator", "looking is not translating"
    assert "mark-current" not in desk.get(change_url(article)).content.decode()


@pytest.mark.both_databases
def test_the_list_shows_and_finds_what_is_stale(desk: Client) -> None:
    edit(translated(), title_ru="Иначе")
    make_article(title="Other")
    for query in ({"language": "be:stale"}, {"translations": "stale"}):
        page = desk.get("/admin/articles/article/", query)
        assert 'title="Беларуская: Draft, stale"' in page.content.decode()
        assert "Other en" not in visible_text(page)


# --- The audit -----------------------------------------------------------------------


def test_publishing_correcting_and_withdrawing_are_written_down(desk: Client) -> None:
    article = make_article(published_in=())
    press(desk, article, "_publish en")
    press(desk, article, "_continue 1", title_en="Corrected", note_en="A figure was wrong.")
    workflow.withdraw(article, MONDAY_MORNING, by=make_user(username="second"))
    found = AuditEntry.objects.about(article).order_by("pk")
    assert [(one.action, one.actor, one.language, one.detail) for one in found] == [
        (AuditAction.PUBLISHED, "editor", "en", ""),
        (AuditAction.CORRECTED, "editor", "en", "A figure was wrong."),
        (AuditAction.WITHDREW, "second", "", ""),
    ]


def test_a_correction_tells_readers_in_its_language(desk: Client, client: Client) -> None:
    article = make_article()
    press(desk, article, "_continue 1", title_be="Іначай", note_be="Выпраўлена лічба.")
    assert "Выпраўлена лічба." in visible_text(client.get(article.path_in("be"), follow=True))
    assert "Выпраўлена" not in visible_text(client.get(article.path_in("en"), follow=True))


def test_a_changed_verdict_is_a_correction_in_every_public_language(desk: Client) -> None:
    article = make_article(published_in=("en", "be"), verdict="improved")
    press(desk, article, "_continue 1", verdict="worsened")
    corrected = AuditEntry.objects.filter(action=AuditAction.CORRECTED)
    assert {one.language for one in corrected} == {"en", "be"}
