"""Approving, the hour, launching, and what a change does to frozen letters."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Digest
from core.weeks import Week
from newsletter.campaigns import approval, lifecycle
from newsletter.campaigns.approval import ApprovalError
from newsletter.models import Delivery, Mailing, MailingStatus, Variant, VariantKind
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_mailing,
    make_subscriber,
    make_topic,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
EARLY = NOW - dt.timedelta(hours=20)


def approved(now: dt.datetime = EARLY) -> list[Mailing]:
    return approval.approve(build_digest(WEEK), make_user(), now)


def test_approving_freezes_one_mailing_for_each_edition() -> None:
    en, be_ru = make_edition(code="en"), make_edition(code="be-ru")
    make_article()
    assert {mailing.edition for mailing in approved()} == {en, be_ru}
    assert Digest.objects.get().is_approved
    assert Variant.objects.count() == 2


def test_an_edition_shows_each_article_in_the_first_of_its_languages() -> None:
    make_edition(code="be-ru")
    make_article(topic=make_topic(code="west"), published_in=("ru",))
    make_article(topic=make_topic(code="elite"), published_in=("be", "ru"))
    make_article(topic=make_topic(code="society"), published_in=("en",))
    [mailing] = approved()
    shown = mailing.contents.values_list("article__topic__code", "language")
    assert sorted(shown) == [("elite", "be"), ("west", "ru")]


def test_an_edition_with_nothing_to_show_gets_no_mailing() -> None:
    make_edition(code="en")
    make_edition(code="be-ru")
    make_article(published_in=("en",))
    assert [mailing.edition.code for mailing in approved()] == ["en"]


def test_approving_an_empty_digest_is_refused_and_leaves_nothing() -> None:
    make_edition(code="en")
    digest = Digest.objects.create(week=WEEK)
    with pytest.raises(ApprovalError, match="empty"):
        approval.approve(digest, make_user(), NOW)
    assert not Mailing.objects.exists()
    assert not Digest.objects.get().is_approved


def test_approving_without_an_edition_or_twice_is_refused() -> None:
    make_article()
    digest = build_digest(WEEK)
    with pytest.raises(ApprovalError, match="no edition"):
        approval.approve(digest, make_user(), NOW)
    make_edition()
    approval.approve(digest, make_user(), NOW)
    with pytest.raises(ApprovalError, match="approved already"):
        approval.approve(digest, make_user(), NOW)


def test_readers_who_chose_the_discreet_letter_never_get_the_full_one() -> None:
    edition = make_edition(discreet=True)
    make_subscriber(edition=edition, variant=VariantKind.DISCREET)
    make_subscriber(edition=edition)
    make_article()
    [mailing] = approved()
    lifecycle.launch(mailing, NOW)
    kinds = Delivery.objects.values_list("subscriber__variant", "variant__kind")
    assert sorted(kinds) == [("discreet", "discreet"), ("full", "full")]


def test_an_edition_that_lost_its_neutral_sender_is_not_approved() -> None:
    edition = make_edition()
    make_subscriber(edition=edition, variant=VariantKind.DISCREET)
    make_article()
    with pytest.raises(ApprovalError, match="discreet"):
        approved()


# --- The hour ------------------------------------------------------------------------


def test_a_digest_is_due_at_the_first_sending_hour_after_its_sunday() -> None:
    assert make_edition(code="en", hour=9).due_at(WEEK) == MONDAY_MORNING
    wednesday = make_edition(code="be-ru", weekday=2, hour=18)
    assert wednesday.due_at(WEEK) == dt.datetime(2026, 11, 25, 16, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("monday", "weekday", "hour", "expected"),
    [
        # Vilnius leaves summer time on Sunday 2026-10-25 at 4:00: 3:00 to 4:00 comes twice.
        ("2026-10-12", 6, 3, dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC)),
        # And enters it on Sunday 2026-03-29 at 3:00: that hour does not exist.
        ("2026-03-16", 6, 3, dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)),
    ],
)
def test_hours_that_daylight_saving_skips_or_doubles_happen_once(
    monday: str, weekday: int, hour: int, expected: dt.datetime
) -> None:
    edition = make_edition(weekday=weekday, hour=hour)
    assert edition.due_at(Week.parse(monday)) == expected


def test_what_is_due_is_launched_and_what_is_not_waits() -> None:
    mailing = make_mailing(now=EARLY)
    assert mailing.status == MailingStatus.SCHEDULED
    assert lifecycle.launch_due(NOW - dt.timedelta(seconds=1)) == []
    assert lifecycle.launch_due(NOW) == [mailing]
    assert lifecycle.launch_due(NOW) == []
    assert Delivery.objects.count() == 3


def test_approved_within_six_hours_of_its_hour_it_goes_at_once() -> None:
    mailing = make_mailing(now=NOW + dt.timedelta(hours=5))
    assert lifecycle.launch_due(NOW + dt.timedelta(hours=5)) == [mailing]


def test_approved_later_than_that_it_is_held_for_a_person() -> None:
    mailing = make_mailing(now=NOW + dt.timedelta(hours=6))
    assert mailing.status == MailingStatus.HELD
    assert lifecycle.launch_due(NOW + dt.timedelta(hours=6)) == []
    assert lifecycle.launch(mailing, NOW + dt.timedelta(hours=7)) == 3


def test_a_mailing_that_missed_its_hour_is_held() -> None:
    mailing = make_mailing(now=EARLY)
    assert lifecycle.launch_due(NOW + dt.timedelta(hours=7)) == []
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.HELD


# --- Constraints ---------------------------------------------------------------------


def test_the_database_allows_one_live_delivery_per_digest_and_subscriber() -> None:
    mailing = make_mailing(readers=1)
    lifecycle.launch(mailing, NOW)
    first = Delivery.objects.get()
    first.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save(force_insert=True)
    Delivery.objects.update(status="failed")
    first.save(force_insert=True)


def test_the_database_allows_one_mailing_per_digest_and_edition_that_is_not_cancelled() -> None:
    mailing = make_mailing()
    twin = Mailing(digest=mailing.digest, edition=mailing.edition, due_at=NOW, approved_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()
    lifecycle.cancel(mailing, NOW)
    twin.save()


# --- Withdrawing and correcting against frozen letters -------------------------------


def test_withdrawing_before_it_went_cancels_the_mailing_and_opens_the_digest() -> None:
    mailing = make_mailing(now=EARLY)
    workflow.withdraw(mailing.digest.articles.get(), EARLY)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.CANCELLED
    assert not Digest.objects.get().is_approved


def test_withdrawing_a_language_that_the_letter_does_not_show_changes_nothing() -> None:
    mailing = make_mailing(now=EARLY)
    article = mailing.digest.articles.get()
    workflow.publish(article, "ru", EARLY)
    workflow.withdraw_language(article, "ru", EARLY)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SCHEDULED


def test_correcting_a_public_text_before_it_went_opens_the_digest() -> None:
    mailing = make_mailing(now=EARLY)
    article = mailing.digest.articles.get()
    article.body_en = "<p>The budget shrinks.</p>"
    save_article(article, by=article.owner, now=EARLY)
    assert not Digest.objects.get().is_approved


def test_saving_the_same_words_again_is_no_correction() -> None:
    mailing = make_mailing(now=EARLY)
    article = mailing.digest.articles.get()
    article.body_en = "<p>The  <strong>budget</strong> grows.</p>"
    save_article(article, by=article.owner, now=EARLY)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SCHEDULED


def test_a_digest_opened_again_is_approved_anew_without_what_was_withdrawn() -> None:
    mailing = make_mailing(now=EARLY)
    first = mailing.digest.articles.get()
    make_article(topic=make_topic(code="west"), published_in=("en",))
    workflow.withdraw(first, EARLY)
    [again] = approved()
    assert again.edition == mailing.edition
    assert first not in [content.article for content in again.contents.all()]


def test_an_edition_that_was_sent_keeps_its_mailing_when_the_digest_is_approved_again() -> None:
    mailing = make_mailing(readers=0, now=EARLY)
    lifecycle.launch(mailing, EARLY)
    lifecycle.finish_if_done(mailing, EARLY)
    lifecycle.reopen(mailing.digest, EARLY)
    assert approved() == []
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT


def test_the_report_is_one_line() -> None:
    mailing = make_mailing(readers=0)
    lifecycle.launch(mailing, NOW)
    assert lifecycle.summary_line(mailing.digest).startswith(
        "Digest 16–22 November 2026 not all sent yet"
    )
    lifecycle.finish_if_done(mailing, NOW)
    assert (
        lifecycle.summary_line(mailing.digest) == "Digest 16–22 November 2026 sent: EN 0, failed 0"
    )
