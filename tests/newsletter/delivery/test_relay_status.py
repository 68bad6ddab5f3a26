"""What the staff, a terminal and whoever watches over the newsroom are told of its relays."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import lifecycle
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays import failover
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.relays.status import ALERT_AFTER_FAILURES, RelayHealth, relay_statuses
from newsletter.management.commands.mailing_progress import progress_line
from newsletter.models import Mailing
from newsletter.stats import alerts
from newsletter.stats.counts import count
from newsletter.stats.progress import Progress
from tests.factories import MONDAY_MORNING, make_mailing, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
FIRST = Relay.parse("smtp://first.example?connections=20&per_minute=600")
SECOND = Relay.parse("smtp://second.example?warm_up=500&since=2026-11-23")


def launched() -> Mailing:
    mailing = make_mailing(readers=2)
    lifecycle.launch(mailing, NOW)
    mailing.refresh_from_db()
    return mailing


def fail_often(relay: Relay, now: dt.datetime, times: int = ALERT_AFTER_FAILURES) -> None:
    for _time in range(times):
        failover.get_state(relay).record_failure("TimeoutError", now)


def test_each_relay_says_how_it_stands(relay: Catcher, settings: Settings) -> None:
    used = replace(settings.RELAYS[0], per_day=2)
    settings.RELAYS = (FIRST, SECOND, used)
    assert [one.health for one in relay_statuses(NOW)] == [RelayHealth.UNUSED] * 3
    fail_often(FIRST, NOW, 1)
    failover.get_state(SECOND).record_failure("535 5.7.8", NOW, refuses=True)
    run_lane(launched().pk, 0, lambda: NOW)
    first, second, third = relay_statuses(NOW)
    assert [one.health for one in (first, second, third)] == [
        RelayHealth.FAILS,
        RelayHealth.REFUSES,
        RelayHealth.FULL,
    ]
    assert (second.cap_today, second.is_warming_up) == (500, True)
    assert (third.used_today, third.is_warming_up) == (2, False)
    assert relay_statuses(NOW + dt.timedelta(days=1))[2].health is RelayHealth.WORKS


def test_a_relay_that_fails_once_alarms_nobody_and_one_that_keeps_failing_does(
    settings: Settings,
) -> None:
    settings.RELAYS = (FIRST, SECOND)
    fail_often(FIRST, NOW, ALERT_AFTER_FAILURES - 1)
    assert alerts.relays_health(NOW) == "ok"
    fail_often(FIRST, NOW, 1)
    assert alerts.relays_health(NOW) == "failing"
    assert alerts.relays_health(NOW + dt.timedelta(days=2)) == "ok", "nothing is known of today"
    failover.get_state(FIRST).record_success(NOW)
    assert alerts.relays_health(NOW) == "ok"


def test_a_relay_that_refuses_alarms_at_once_and_one_that_was_taken_out_never(
    settings: Settings,
) -> None:
    settings.RELAYS = (FIRST, SECOND)
    failover.get_state(SECOND).record_failure("535 5.7.8", NOW, refuses=True)
    assert alerts.relays_health(NOW) == "failing"
    settings.RELAYS = (FIRST,)
    assert alerts.relays_health(NOW) == "ok"


def test_the_mailings_page_and_the_first_page_name_the_relay_and_the_cause(
    client: Client, settings: Settings
) -> None:
    settings.RELAYS = (FIRST, SECOND)
    settings.LETTERS_PER_MINUTE, settings.PROVIDER_LIMITS = 6000, {"gmail": 300, "other": 9}
    client.force_login(make_user())
    mailing, now = launched(), timezone.now()
    fail_often(FIRST, now)
    page = client.get(reverse("admin:newsletter_mailing_progress", args=[mailing.pk]))
    text = " ".join(page.content.decode().split())
    for words in (
        "first.example:25",
        "TimeoutError. It is tried again:",
        "At most 600 letters a minute.",
        "Connections: 0 of at most 20.",
        "second.example:25",
        "All together: at most 6,000 letters a minute.",
        '<bdi lang="en">gmail</bdi> 300, others 9.',
    ):
        assert words in text
    first_page = client.get(reverse("admin:index")).content.decode()
    assert "The relay first.example:25 does not take letters since" in first_page


def test_a_terminal_names_a_relay_that_fails(settings: Settings) -> None:
    settings.RELAYS = (FIRST,)
    mailing = launched()
    fail_often(FIRST, NOW, 1)
    progress = Progress(mailing, count(mailing, lambda: NOW))
    assert "first.example:25 fails: TimeoutError" in progress_line(progress, relay_statuses(NOW))
