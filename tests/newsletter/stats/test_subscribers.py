"""How many subscribers there are, and no number that could be a person."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from newsletter.models import Edition, Subscriber, SubscriberStatus, WorkerQuota
from newsletter.models.quotas import CONFIRMATIONS, HOUR, window_start
from newsletter.stats import charts, subscribers
from newsletter.stats.subscribers import Cell, hide_small
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.svg_measures import elements_of

NOW = MONDAY_MORNING
STATUSES = list(SubscriberStatus)


def shown(cells: list[Cell]) -> list[int | None]:
    return [None if cell.is_hidden else cell.count for cell in cells]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0], [0, 0]),
        ([5, 6], [5, 6]),
        ([1, 4], [None, None]),
        # One alone could be worked out from the sum, so the next smallest goes with it.
        ([3, 20, 9], [None, 20, None]),
        ([3, 0, 0], [None, 0, 0]),
        ([], []),
    ],
)
def test_small_numbers_are_hidden_and_cannot_be_worked_out(
    counts: list[int], expected: list[int | None]
) -> None:
    assert shown(hide_small(counts)) == expected


@pytest.mark.django_db
def test_subscribers_are_counted_by_edition_and_status() -> None:
    en, be = make_edition(code="en"), make_edition(code="be-ru", position=2)
    for _ in range(7):
        make_subscriber(edition=en)
        make_subscriber(edition=be)
    for subscriber in Subscriber.objects.filter(edition=be)[:2]:
        subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    [first, second] = subscribers.count_by_status()
    assert shown(first.cells)[STATUSES.index(SubscriberStatus.ACTIVE)] == 7
    assert shown(second.cells)[STATUSES.index(SubscriberStatus.ACTIVE)] == 5
    assert shown(second.cells)[STATUSES.index(SubscriberStatus.UNSUBSCRIBED)] is None


@pytest.mark.django_db
def test_months_span_the_new_year_and_count_confirmed_and_ended() -> None:
    edition = make_edition()
    december = dt.datetime(2025, 12, 31, 23, 59, tzinfo=dt.UTC)
    for _ in range(6):
        make_subscriber(edition=edition, now=december)
    for subscriber in Subscriber.objects.all():
        subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    months = subscribers.count_by_month(NOW)
    assert len(months) == subscribers.MONTHS_SHOWN
    assert months[0].first == dt.date(2025, 12, 1)
    assert shown(months[0].confirmed) == [6]
    assert shown(months[-1].ended) == [6]
    assert shown(months[5].cells) == [0, 0]


def test_a_bar_is_as_high_as_its_number_and_a_hidden_one_tells_nothing() -> None:
    edition = Edition(name="EN")
    month = dt.date(2026, 1, 1)
    months = [
        subscribers.MonthlyCounts(month, [Cell(11)], [Cell(2, is_hidden=True)]),
        subscribers.MonthlyCounts(month, [Cell(1, is_hidden=True)], [Cell(0)]),
    ]
    bars = elements_of(charts.subscribers_chart(months, [edition]), "rect")
    [up, down, hidden] = [(int(one["y"]), int(one["height"])) for one in bars]
    assert up == (0, 110)
    assert down == (110, 40), "from the line on"
    assert up[1] + down[1] == charts.LIST_HEIGHT
    assert hidden[1] == down[1]
    assert bars[2]["text"].endswith(": ·")
    assert not charts.subscribers_chart([], [])


@pytest.mark.django_db
def test_the_page_says_when_the_hourly_limit_is_reached(client: Client, settings: Settings) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 1
    client.force_login(make_user())
    calm = client.get("/admin/").content.decode()
    assert "Sign-ups that wait for a worker" in calm
    assert "Over the hour" not in calm
    WorkerQuota.spend(CONFIRMATIONS, window_start(timezone.now(), HOUR), 1)
    assert "Over the hour’s budget" in client.get("/admin/").content.decode()
    assert (
        "typing in other people’s addresses"
        in client.get("/admin/newsletter/subscriber/").content.decode()
    )
