"""An hour after a letter should have gone somebody is told, whatever keeps it, until it went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from articles.editorial.digest_builder import gather
from articles.models import Digest
from core import heartbeats
from demo.mail_catcher.catcher import Catcher
from newsletter import schedule
from newsletter.campaigns import lifecycle as mailings
from newsletter.delivery.lanes import run_lane
from newsletter.models import Delivery, DeliveryStatus, Mailing, MailingStatus
from newsletter.stats import alerts
from newsroom import health
from tests.factories import (
    MONDAY_MORNING,
    make_article,
    make_edition,
    make_mailing,
    make_user,
)
from tests.factories import WEEK as LAST_WEEK
from tests.newsletter.relays import Moody

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DUE = MONDAY_MORNING
IN_TIME, LATE = DUE + dt.timedelta(minutes=59), DUE + dt.timedelta(minutes=61)


def waiting(readers: int = 2) -> Mailing:
    mailing = make_mailing(readers=readers, now=DUE - dt.timedelta(hours=2))
    assert mailing.due_at == DUE
    return mailing


def nobody_ticks() -> None:
    """Neither beat nor a worker is there."""
    waiting()


def held() -> None:
    Mailing.objects.filter(pk=waiting().pk).update(status=MailingStatus.HELD)


def paused() -> None:
    mailing = waiting()
    mailings.launch(mailing, DUE)
    mailings.pause(mailing, DUE, why="The relay: 550 5.7.1")


def a_dead_worker() -> None:
    """Beat has launched it, and no lane comes."""
    waiting()
    schedule.settle_and_launch(DUE)


def unapproved() -> None:
    make_edition()
    make_article()
    gather(LAST_WEEK)


def ungathered() -> None:
    make_edition()
    make_article()


CAUSES = [nobody_ticks, held, paused, a_dead_worker, unapproved, ungathered]


@pytest.mark.parametrize("cause", CAUSES)
def test_whatever_keeps_a_letter_an_hour_after_its_time_alarms(cause: Callable[[], None]) -> None:
    cause()
    assert not alerts.alarms(IN_TIME)
    assert alerts.alarms(LATE)
    assert alerts.word(IN_TIME) == health.OK
    assert alerts.word(LATE) == "overdue"


def test_the_first_page_says_so_in_each_language(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_ticks()
    client.force_login(make_user())
    for language, words in (
        ("en", "should have gone more than an hour ago"),
        ("be", "мусіў пайсці больш за гадзіну таму"),
        ("ru", "должно было уйти больше часа назад"),
    ):
        client.post(reverse("set_language"), {"language": language})
        monkeypatch.setattr("staff.views.timezone.now", lambda: IN_TIME)
        assert words not in client.get("/admin/").content.decode()
        monkeypatch.setattr("staff.views.timezone.now", lambda: LATE)
        assert words in client.get("/admin/").content.decode()


def test_a_mailing_that_went_or_was_given_up_alarms_nobody(relay: Catcher) -> None:
    mailing = waiting()
    mailings.launch(mailing, DUE)
    run_lane(mailing.pk, 0, lambda: DUE)
    assert not alerts.alarms(LATE)
    Mailing.objects.update(status=MailingStatus.CANCELLED)
    assert not alerts.alarms(LATE)


def test_a_few_full_mailboxes_are_no_alarm_for_two_days(relay: Catcher) -> None:
    mailing = waiting(readers=21)
    mailings.launch(mailing, DUE)
    Delivery.objects.update(status=DeliveryStatus.SENT, attempts=1, settled_at=DUE)
    one = Delivery.objects.all()[0]
    Delivery.objects.filter(pk=one.pk).update(status=DeliveryStatus.RETRY, settled_at=None)
    assert not alerts.alarms(LATE)
    # But a letter that was never tried is, and so are many that the relay puts off.
    Delivery.objects.filter(pk=one.pk).update(attempts=0)
    assert alerts.alarms(LATE).mailings == [mailing]
    Delivery.objects.update(attempts=1, status=DeliveryStatus.RETRY)
    assert alerts.alarms(LATE).mailings == [mailing]


def test_a_relay_that_puts_everything_off_alarms(relay: Catcher) -> None:
    mailing = waiting()
    mailings.launch(mailing, DUE)
    Moody.moods["MAIL"] = lambda _server, _about: "451 4.7.1 slow down"
    run_lane(mailing.pk, 0, lambda: DUE)
    assert alerts.alarms(LATE)


def test_a_week_without_letters_is_no_alarm() -> None:
    edition = make_edition()
    assert not alerts.alarms(LATE), "nothing was written"
    make_article()
    Digest.objects.create(week=LAST_WEEK)
    assert not alerts.alarms(LATE), "the digest is empty on purpose"
    Digest.objects.all().delete()
    assert alerts.alarms(LATE).unapproved == [(edition, DUE)]
    assert not alerts.alarms(DUE + dt.timedelta(days=1)), "nobody means to gather it any more"


def test_an_edition_that_an_approved_digest_has_nothing_for_is_no_alarm(relay: Catcher) -> None:
    make_edition(code="be-ru")
    mailing = waiting()
    mailings.launch(mailing, DUE)
    run_lane(mailing.pk, 0, lambda: DUE)
    assert not alerts.alarms(LATE)


# --- What gives no sign of life --------------------------------------------------------


@pytest.fixture
def engine(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A broker that answers, and signs of life that another thread can read."""
    settings.BROKER_DIR = tmp_path
    cache.clear()
    yield
    cache.clear()


@pytest.mark.django_db(transaction=True)
def test_the_staff_are_told_at_once_that_no_worker_no_intake_and_no_beat_lives(
    client: Client, engine: None
) -> None:
    mailing = waiting()
    page = f"/admin/newsletter/mailing/{mailing.pk}/change/"
    client.force_login(make_user())
    for path in ("/admin/", page):
        said = client.get(path).content.decode()
        assert "No worker gives a sign of life" in said
        assert "No worker takes sign-ups in" in said
        assert "Beat gives no sign of life" in said


@pytest.mark.django_db(transaction=True)
def test_who_lives_is_not_spoken_of(client: Client, engine: None) -> None:
    mailing = waiting()
    client.force_login(make_user())
    for process in heartbeats.LATEST:
        heartbeats.beat(process)
    said = client.get(f"/admin/newsletter/mailing/{mailing.pk}/change/").content.decode()
    assert "sign of life" not in said
    assert "It leaves by itself" in said


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_named_and_nobody_is_accused_for_it(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    waiting()
    settings.BROKER_DIR = tmp_path / "nowhere"
    client.force_login(make_user())
    said = client.get("/admin/").content.decode()
    assert "The broker does not answer" in said
    assert "sign of life" not in said
