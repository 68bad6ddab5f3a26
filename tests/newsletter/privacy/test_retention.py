"""retention.yaml: what it says is done, and nothing about a person is left unsaid."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.checks import run_checks

from core import languages
from newsletter import schedule
from newsletter.campaigns.lifecycle import launch, ledger
from newsletter.models import (
    Delivery,
    Quota,
    SignUp,
    Subscriber,
    SubscriberLookup,
    SubscriberStatus,
    Suppression,
)
from newsletter.privacy import retention
from newsletter.privacy.retention import InvalidRetentionPolicy
from newsletter.subscribers import departures, lookup, sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
DAY = dt.timedelta(days=1)


def arrive(now: dt.datetime = NOW) -> Subscriber:
    row = sign_up.sign_up("reader@example.org", make_edition(), "en", now)
    subscriber = sign_up.process_sign_up(row.pk, now)
    return Subscriber.objects.get(pk=subscriber)


def test_an_unconfirmed_sign_up_goes_after_seven_days() -> None:
    arrive()
    retention.apply_retention(NOW + 7 * DAY - dt.timedelta(minutes=1))
    assert Subscriber.objects.exists()
    assert retention.apply_retention(NOW + 7 * DAY) == {"newsletter.Subscriber": 1}
    assert not Subscriber.objects.exists()


@pytest.mark.both_databases
def test_active_and_unsubscribed_rows_stay() -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    make_subscriber(edition=edition).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    retention.apply_retention(NOW + 4000 * DAY)
    assert Subscriber.objects.count() == 2
    assert Suppression.objects.count() == 1


@pytest.mark.both_databases
def test_a_delivery_forgets_its_subscriber_after_thirty_days_and_keeps_its_count() -> None:
    mailing = make_mailing(readers=3)
    launch(mailing, NOW)
    rows = Delivery.objects.all()
    sent = rows.order_by("pk").values_list("pk", flat=True)[:2]
    rows.filter(pk__in=list(sent)).update(status="sent", settled_at=NOW)
    before = ledger(mailing)
    retention.apply_retention(NOW + 29 * DAY)
    assert rows.filter(subscriber__isnull=True).count() == 0
    retention.apply_retention(NOW + 30 * DAY)
    assert rows.filter(subscriber__isnull=True).count() == 2
    assert ledger(mailing) == before


def test_an_unprocessed_sign_up_expires_too() -> None:
    sign_up.sign_up("reader@example.org", make_edition(), "en", NOW)
    retention.apply_retention(NOW + 7 * DAY)
    assert not SignUp.objects.exists()


def test_a_lookup_expires_within_a_day() -> None:
    lookup.request_lookup("reader@example.org", make_user(), NOW)
    retention.apply_retention(NOW + DAY)
    assert not SubscriberLookup.objects.exists()


def test_counters_expire_and_the_departures_log_is_pruned() -> None:
    Quota.spend("confirmations", NOW, 5)
    make_subscriber(edition=make_edition()).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    retention.apply_retention(NOW + 91 * DAY)
    assert not Quota.objects.exists()
    assert departures.replay_missed() == 0
    assert list(departures.DeparturesLog(departures.settings.DEPARTURES_FILE).lines_after(0)) == []


@pytest.mark.both_databases
def test_many_rows_are_deleted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 2)
    edition = make_edition()
    for number in range(5):
        sign_up.sign_up(f"reader{number}@example.org", edition, "en", NOW)
    assert retention.apply_retention(NOW + 7 * DAY)["newsletter.SignUp"] == 5


def test_each_field_about_a_person_has_a_policy() -> None:
    assert list(retention.fields_without_policy()) == []
    assert not [one for one in run_checks() if one.id and one.id.startswith("newsletter.E")]


def without(field: str) -> str:
    """The document as it would be had somebody forgotten a field."""
    text = retention.POLICY_FILE.read_text()
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip() == f"{field}:")
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while lines[end].startswith(" " * (depth + 1)):
        end += 1
    return "\n".join([*lines[:start], *lines[end:]])


@pytest.mark.parametrize("field", ["provider", "language", "ended_at"])
def test_a_check_fails_on_a_field_without_a_policy(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = retention.parse_policy(without(field))
    monkeypatch.setattr(retention, "load_policy", lambda: broken)
    assert f"newsletter.Subscriber.{field}" in list(retention.fields_without_policy())
    assert [one for one in run_checks() if one.id == "newsletter.E001"]


def test_a_table_that_refers_to_a_person_cannot_be_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = [one for one in retention.load_policy() if one.model is not Delivery]
    monkeypatch.setattr(retention, "load_policy", lambda: rest)
    assert "newsletter.Delivery.subscriber" in list(retention.fields_without_policy())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: {newsletter.Nothing: {}}", "Nothing"),
        ("a: {newsletter.SignUp: {fields: {shoe: {why: x, until: y}}}}", "shoe"),
        ("a: {newsletter.SignUp: {rules: [{after: arrived_at, days: 1}]}}", "deletes or clears"),
        ("a: {newsletter.SignUp: {rules: [{delete: true, after: hat, days: 1}]}}", "hat"),
        ("a: {newsletter.SignUp: {fields: {edition: {why: x}}}}", "until"),
        ("a: [", "retention.yaml"),
    ],
)
def test_an_invalid_policy_says_why(text: str, told: str) -> None:
    with pytest.raises(InvalidRetentionPolicy, match=told):
        retention.parse_policy(text)


def test_the_policy_is_translated_for_subscribers() -> None:
    subscriber = make_subscriber(edition=make_edition())
    for language in languages.codes():
        held = retention.personal_data_of(subscriber, language)
        assert all(one.why and one.until for one in held)
    said = [one.why for one in retention.personal_data_of(subscriber, "be")]
    assert said != [one.why for one in retention.personal_data_of(subscriber, "ru")]


def test_each_field_of_a_subscribers_row_is_shown_to_them() -> None:
    subscriber = make_subscriber(edition=make_edition())
    row: dict[str, Any] = Subscriber.objects.filter(pk=subscriber.pk).values().get()
    filled = [name for name, value in row.items() if value not in (None, "", b"")]
    held = retention.personal_data_of(subscriber, "en")
    assert len(held) == len(filled) + 1, "and how many letters went to them"


def test_applying_retention_twice_does_nothing_more() -> None:
    arrive()
    retention.apply_retention(NOW + 8 * DAY)
    assert retention.apply_retention(NOW + 8 * DAY) == {}
