"""What became of a mailing, in numbers alone: on its page, in a terminal and as data."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns.lifecycle import launch
from newsletter.delivery.lanes import run_lane
from newsletter.models import Delivery, DeliveryReason, DeliveryStatus, Mailing
from newsletter.stats import charts, counts
from newsletter.stats.progress import Progress
from newsletter.stats.report import (
    MAX_INTERVALS,
    MailingReport,
    build_report,
    report_as_data,
    split_into_intervals,
)
from tests.factories import MONDAY_MORNING, make_mailing, make_user
from tests.newsletter.relays import ScriptedRelay
from tests.svg_measures import elements_of

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
SENT, FAILED = DeliveryStatus.SENT.value, DeliveryStatus.FAILED.value


def minute(number: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=number)


# --- Stretches of time and columns ---------------------------------------------------------


@pytest.mark.both_databases
def test_a_short_sending_is_shown_by_the_minute_and_without_a_gap() -> None:
    counts = [(minute(0), SENT, 40), (minute(3), FAILED, 2), (minute(3), SENT, 10)]
    found = split_into_intervals(counts)
    assert [(one.begins_at, one.sent, one.not_sent) for one in found] == [
        (minute(0), 40, 0),
        (minute(1), 0, 0),
        (minute(2), 0, 0),
        (minute(3), 10, 2),
    ]
    assert found[3].per_minute == 12


@pytest.mark.parametrize("minutes", [1, 48, 49, 97, 600, 60 * 24 * 2, 60 * 24 * 90])
def test_however_long_it_took_no_letter_is_lost_from_the_chart(minutes: int) -> None:
    counts = [(minute(number), SENT, 7) for number in range(minutes)]
    found = split_into_intervals(counts)
    is_by_the_day = found[0].length == dt.timedelta(days=1)
    assert is_by_the_day or len(found) <= MAX_INTERVALS + 1
    shown = sum(one.sent for one in found)
    assert 0.99 * 7 * minutes <= shown <= 7 * minutes
    assert len({one.length for one in found}) == 1


def test_a_few_full_mailboxes_do_not_press_the_chart_into_one_bar() -> None:
    counts = [(minute(number), SENT, 1000) for number in range(10)]
    counts += [(minute(60 * hour), FAILED, 1) for hour in (1, 8, 47)]
    found = split_into_intervals(counts)
    assert len(found) == 10
    assert sum(one.not_sent for one in found) == 0


def test_nothing_answered_is_no_chart() -> None:
    assert split_into_intervals([]) == []
    assert not elements_of(charts.answers_chart([]), "rect")


@pytest.mark.parametrize(
    ("most", "step"),
    [(0, 1), (1, 1), (5, 1), (6, 2), (23, 5), (49, 10), (1521, 500), (99_000, 20_000)],
)
def test_the_lines_of_the_chart_are_round_numbers(most: float, step: int) -> None:
    assert charts.grid_step(most) == step


@pytest.mark.parametrize("sent", [[1], [1, 0, 90_000], [3] * 48])
def test_every_column_stands_within_the_chart(sent: list[int]) -> None:
    counts = [(minute(place), SENT, count) for place, count in enumerate(sent) if count]
    stretches, bottom = split_into_intervals(counts), charts.TOP + charts.HEIGHT
    columns = elements_of(charts.answers_chart(stretches), "rect")
    assert len(columns) == sum(bool(one.sent) for one in stretches)
    for column in columns:
        x, y, width, height = (int(column[name]) for name in ("x", "y", "width", "height"))
        assert x >= charts.LEFT
        assert x + width <= charts.WIDTH
        assert charts.TOP <= y < bottom
        assert y + height == bottom


# --- A mailing's ---------------------------------------------------------------------


@pytest.fixture
def mailing(relay: Catcher) -> Mailing:
    """To fourteen: one mailbox is gone, one is full, and one letter came back later."""
    mailing = make_mailing(readers=14)
    launch(mailing, NOW)
    answers = iter(["550 5.1.1 reader@example.org unknown", "452 4.2.2 reader@example.org is full"])
    ScriptedRelay.replies["RCPT"] = lambda _server, _about: next(answers, None)
    run_lane(mailing.pk, 0, lambda: NOW)
    came_back = Delivery.objects.filter(status=DeliveryStatus.SENT)[0]
    Delivery.objects.filter(pk=came_back.pk).update(bounce="complaint")
    mailing.refresh_from_db()
    return mailing


def report_on(mailing: Mailing, at: dt.datetime = NOW) -> MailingReport:
    tally = counts.count(mailing, lambda: at)
    return build_report(mailing, tally, counts.count_answers_per_minute(mailing, lambda: at))


def test_the_bar_is_filled_and_shows_even_the_rarest_state(mailing: Mailing) -> None:
    states = Progress(mailing, counts.count(mailing, lambda: NOW)).states
    parts = elements_of(charts.progress_bar(states), "rect")
    assert [part["class"] for part in parts] == ["state-sent", "state-failed", "state-retry"]
    places = [(int(part["x"]), int(part["width"])) for part in parts]
    assert places[0][0] == 0
    assert sum(width for _x, width in places) == charts.BAR_LENGTH
    assert all(width >= charts.MIN_SEGMENT - 1 for _x, width in places)
    for (x, width), (following, _width) in itertools.pairwise(places):
        assert x + width == following


@pytest.mark.both_databases
def test_reasons_are_counted(mailing: Mailing) -> None:
    found = {(one.status, one.reason): one.count for one in report_on(mailing).reasons}
    assert found == {
        (DeliveryStatus.FAILED, DeliveryReason.GONE): 1,
        (DeliveryStatus.RETRY, DeliveryReason.LATER): 1,
    }


def test_an_ended_mailing_says_how_long_it_took_and_what_needed_another_try(
    mailing: Mailing,
) -> None:
    assert report_on(mailing).took is None
    end = NOW + dt.timedelta(minutes=30)
    run_lane(mailing.pk, 0, lambda: end)
    mailing.refresh_from_db()
    report = report_on(mailing, end)
    assert report.took == dt.timedelta(minutes=30)
    assert report.retried == 1
    assert report.ledger.sent == 13
    assert [(kind.value, count) for kind, count in report.bounced] == [("complaint", 1)]
    answered = (
        sum(one.sent + one.not_sent for one in report.intervals) + report.answered_after_chart
    )
    assert answered == 14


@pytest.mark.both_databases
def test_a_providers_small_numbers_are_hidden(mailing: Mailing) -> None:
    ids = list(Delivery.objects.filter(status=DeliveryStatus.SENT).values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=ids[:8]).update(provider="gmail")
    Delivery.objects.filter(pk__in=ids[8:]).update(provider="proton")
    found = {one.provider: one for one in report_on(mailing).providers}
    assert found["proton"].sent.is_hidden
    assert found["gmail"].sent.is_hidden, "or the sum would tell the other"
    assert not found["gmail"].failed.is_hidden, "there is none"
    data = report_as_data(report_on(mailing))
    assert {one["sent"] for one in data["providers"] if one["provider"] != "other"} == {None}


def told(mailing: Mailing, *options: str) -> str:
    out = io.StringIO()
    call_command("mailing", "report", str(mailing.pk), *options, stdout=out)
    return out.getvalue()


def test_the_terminal_shows_the_report(mailing: Mailing) -> None:
    said = told(mailing)
    assert "audience 14, sent 12, failed 1" in said
    assert "1 Failed: The mailbox does not exist" in said
    assert "1 The reader called it spam" in said
    assert "23 Nov 07:00        13 ████" in said


def test_the_report_is_data_too(mailing: Mailing) -> None:
    data = json.loads(told(mailing, "--json"))
    assert data["ledger"]["audience"] == 14
    assert data["week"] == "2026-11-16"
    assert data["launched_at"] == "2026-11-23T07:00:00+00:00"
    assert data["ended_at"] is None
    assert data["stretches"][0] == {
        "begins_at": "2026-11-23T07:00:00+00:00",
        "minutes": 1,
        "sent": 12,
        "not_sent": 1,
    }
    with pytest.raises(CommandError, match="Only a report"):
        call_command("mailing", "list", "--json")


def test_a_mailing_that_has_not_begun_has_a_report_of_nothing() -> None:
    waiting = make_mailing(readers=1)
    assert "audience 0" in told(waiting)
    assert json.loads(told(waiting, "--json"))["stretches"] == []


def test_no_form_of_the_report_names_a_subscriber(client: Client, mailing: Mailing) -> None:
    client.force_login(make_user())
    page = client.get(f"/admin/newsletter/mailing/{mailing.pk}/change/").content.decode()
    assert "Why letters did not go" in page
    assert "The chart as a table" in page
    for said in (page, told(mailing), told(mailing, "--json")):
        assert "example.org" not in said
        assert "reader@" not in said
