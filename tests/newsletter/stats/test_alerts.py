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

from articles.editorial.digest_builder import build_digest
from articles.models import Digest
from core import heartbeats
from demo.mail_catcher.catcher import Catcher
from newsletter import schedule
from newsletter.campaigns.lifecycle import launch, pause
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
from tests.newsletter.relays import ScriptedRelay

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DUE = MONDAY_MORNING
IN_TIME, LATE = DUE + dt.timedelta(minutes=59), DUE + dt.timedelta(minutes=61)


def waiting(subscribers: int = 2) -> Mailing:
    mailing = make_mailing(readers=subscribers, now=DUE - dt.timedelta(hours=2))
    assert mailing.due_at == DUE
    return mailing


def nobody_ticks() -> None:
    """Neither beat nor a worker is there."""
    waiting()


def held() -> None:
    Mailing.objects.filter(pk=waiting().pk).update(status=MailingStatus.HELD)


def paused() -> None:
    mailing = waiting()
    launch(mailing, DUE)
    pause(mailing, DUE, why="The relay: 550 5.7.1")


def a_dead_worker() -> None:
    """Beat has launched it, and no lane comes."""
    waiting()
    schedule.run_due(DUE)


def unapproved() -> None:
    make_edition()
    make_article()
    build_digest(LAST_WEEK)


def ungathered() -> None:
    make_edition()
    make_article()


CAUSES = [nobody_ticks, held, paused, a_dead_worker, unapproved, ungathered]


@pytest.mark.parametrize("cause", CAUSES)
def test_an_overdue_mailing_causes_an_alert(cause: Callable[[], None]) -> None:
    cause()
    assert not alerts.find_alerts(IN_TIME)
    assert alerts.find_alerts(LATE)
    assert alerts.letters_health(IN_TIME) == health.OK
    assert alerts.letters_health(LATE) == "overdue"


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


def test_a_sent_or_cancelled_mailing_causes_no_alert(relay: Catcher) -> None:
    mailing = waiting()
    launch(mailing, DUE)
    run_lane(mailing.pk, 0, lambda: DUE)
    assert not alerts.find_alerts(LATE)
    Mailing.objects.update(status=MailingStatus.CANCELLED)
    assert not alerts.find_alerts(LATE)


def test_a_few_full_mailboxes_cause_no_alert(relay: Catcher) -> None:
    mailing = waiting(subscribers=21)
    launch(mailing, DUE)
    Delivery.objects.update(status=DeliveryStatus.SENT, attempts=1, settled_at=DUE)
    one = Delivery.objects.all()[0]
    Delivery.objects.filter(pk=one.pk).update(status=DeliveryStatus.RETRY, settled_at=None)
    assert not alerts.find_alerts(LATE)
    # But a letter that was never tried is, and so are many that the relay puts off.
    Delivery.objects.filter(pk=one.pk).update(attempts=0)
    assert alerts.find_alerts(LATE).mailings == [mailing]
    Delivery.objects.update(attempts=1, status=DeliveryStatus.RETRY)
    assert alerts.find_alerts(LATE).mailings == [mailing]


def test_a_relay_that_defers_everything_causes_an_alert(relay: Catcher) -> None:
    mailing = waiting()
    launch(mailing, DUE)
    ScriptedRelay.replies["MAIL"] = lambda _server, _about: "451 4.7.1 slow down"
    run_lane(mailing.pk, 0, lambda: DUE)
    assert alerts.find_alerts(LATE)


def test_a_week_without_letters_causes_no_alert() -> None:
    edition = make_edition()
    assert not alerts.find_alerts(LATE), "nothing was written"
    make_article()
    Digest.objects.create(week=LAST_WEEK)
    assert not alerts.find_alerts(LATE), "the digest is empty on purpose"
    Digest.objects.all().delete()
    assert alerts.find_alerts(LATE).unapproved == [(edition, DUE)]
    assert not alerts.find_alerts(DUE + dt.timedelta(days=1)), "nobody means to gather it any more"


def test_an_edition_without_texts_in_an_approved_digest_causes_no_alert(relay: Catcher) -> None:
    make_edition(code="be-ru")
    mailing = waiting()
    launch(mailing, DUE)
    run_lane(mailing.pk, 0, lambda: DUE)
    assert not alerts.find_alerts(LATE)


# --- What gives no sign of life --------------------------------------------------------


@pytest.fixture
def engine(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """A broker that answers, and signs of life that another thread can read."""
    settings.BROKER_DIR = tmp_path
    cache.clear()
    yield
    cache.clear()


@pytest.mark.django_db(transaction=True)
def test_the_dashboard_names_processes_without_a_heartbeat(client: Client, engine: None) -> None:
    mailing = waiting()
    page = f"/admin/newsletter/mailing/{mailing.pk}/change/"
    client.force_login(make_user())
    for path in ("/admin/", page):
        said = client.get(path).content.decode()
        assert "No worker gives a sign of life" in said
        assert "No worker takes sign-ups in" in said
        assert "Beat gives no sign of life" in said


@pytest.mark.django_db(transaction=True)
def test_responsive_processes_are_not_mentioned(client: Client, engine: None) -> None:
    mailing = waiting()
    client.force_login(make_user())
    for process in heartbeats.MAX_AGE_SECONDS:
        heartbeats.beat(process)
    said = client.get(f"/admin/newsletter/mailing/{mailing.pk}/change/").content.decode()
    assert "sign of life" not in said
    assert "It leaves by itself" in said


@pytest.mark.django_db(transaction=True)
def test_an_unreachable_broker_is_named_alone(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    waiting()
    settings.BROKER_DIR = tmp_path / "nowhere"
    client.force_login(make_user())
    said = client.get("/admin/").content.decode()
    assert "The broker does not answer" in said
    assert "sign of life" not in said
