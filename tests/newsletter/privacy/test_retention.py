"""retention.yaml: what it says is done, and nothing about a person is left unsaid."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.checks import run_checks

from core import languages
from newsletter import schedule
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import (
    Delivery,
    Inquiry,
    SignUp,
    Spending,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.privacy import retention
from newsletter.privacy.retention import PolicyBroken
from newsletter.subscribers import departures, lookup, sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
DAY = dt.timedelta(days=1)


def arrive(now: dt.datetime = NOW) -> Subscriber:
    row = sign_up.sign_up("reader@example.org", make_edition(), "en", now)
    reader = sign_up.process_sign_up(row.pk, now)
    return Subscriber.objects.get(pk=reader)


def test_an_unconfirmed_sign_up_goes_after_seven_days() -> None:
    arrive()
    retention.obey(NOW + 7 * DAY - dt.timedelta(minutes=1))
    assert Subscriber.objects.exists()
    assert retention.obey(NOW + 7 * DAY) == {"newsletter.Subscriber": 1}
    assert not Subscriber.objects.exists()


@pytest.mark.both_databases
def test_who_is_on_the_list_or_has_left_it_stays() -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    make_subscriber(edition=edition).end(SubscriberStatus.LEFT, NOW)
    retention.obey(NOW + 4000 * DAY)
    assert Subscriber.objects.count() == 2
    assert Suppression.objects.count() == 1


@pytest.mark.both_databases
def test_a_delivery_forgets_its_reader_after_thirty_days_and_keeps_its_count() -> None:
    mailing = make_mailing(readers=3)
    mailings.launch(mailing, NOW)
    rows = Delivery.objects.all()
    sent = rows.order_by("pk").values_list("pk", flat=True)[:2]
    rows.filter(pk__in=list(sent)).update(status="sent", settled_at=NOW)
    before = mailings.ledger(mailing)
    retention.obey(NOW + 29 * DAY)
    assert rows.filter(subscriber__isnull=True).count() == 0
    retention.obey(NOW + 30 * DAY)
    assert rows.filter(subscriber__isnull=True).count() == 2
    assert mailings.ledger(mailing) == before


def test_a_sign_up_that_no_worker_came_for_goes_too() -> None:
    sign_up.sign_up("reader@example.org", make_edition(), "en", NOW)
    retention.obey(NOW + 7 * DAY)
    assert not SignUp.objects.exists()


def test_a_question_about_a_person_goes_within_a_day() -> None:
    lookup.ask("reader@example.org", make_user(), NOW)
    retention.obey(NOW + DAY)
    assert not Inquiry.objects.exists()


def test_counts_go_after_a_while_and_the_journal_is_pruned() -> None:
    Spending.spend("confirmations", NOW, 5)
    make_subscriber(edition=make_edition()).end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    retention.obey(NOW + 91 * DAY)
    assert not Spending.objects.exists()
    assert departures.catch_up() == 0
    assert list(departures.Journal(departures.settings.JOURNAL_FILE).since(0)) == []


@pytest.mark.both_databases
def test_many_rows_are_dealt_with_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    edition = make_edition()
    for number in range(5):
        sign_up.sign_up(f"reader{number}@example.org", edition, "en", NOW)
    assert retention.obey(NOW + 7 * DAY)["newsletter.SignUp"] == 5


def test_each_field_about_a_person_has_a_line() -> None:
    assert list(retention.missing()) == []
    assert not [one for one in run_checks() if one.id and one.id.startswith("newsletter.E")]


def without(field: str) -> str:
    """The document as it would be had somebody forgotten a field."""
    text = retention.POLICY.read_text()
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip() == f"{field}:")
    depth = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while lines[end].startswith(" " * (depth + 1)):
        end += 1
    return "\n".join([*lines[:start], *lines[end:]])


@pytest.mark.parametrize("field", ["provider", "language", "ended_at"])
def test_a_check_fails_on_a_field_without_a_line(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = retention.parse(without(field))
    monkeypatch.setattr(retention, "policy", lambda: broken)
    assert f"newsletter.Subscriber.{field}" in list(retention.missing())
    assert [one for one in run_checks() if one.id == "newsletter.E001"]


def test_a_table_that_refers_to_a_person_cannot_be_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = [one for one in retention.policy() if one.model is not Delivery]
    monkeypatch.setattr(retention, "policy", lambda: rest)
    assert "newsletter.Delivery.subscriber" in list(retention.missing())


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
def test_a_document_that_cannot_be_obeyed_is_told_so(text: str, told: str) -> None:
    with pytest.raises(PolicyBroken, match=told):
        retention.parse(text)


def test_what_readers_are_told_is_there_in_every_language() -> None:
    reader = make_subscriber(edition=make_edition())
    for language in languages.codes():
        held = retention.held_about(reader, language)
        assert all(one.why and one.until for one in held)
    said = [one.why for one in retention.held_about(reader, "be")]
    assert said != [one.why for one in retention.held_about(reader, "ru")]


def test_each_column_of_a_readers_row_is_shown_to_them_if_it_has_a_value() -> None:
    reader = make_subscriber(edition=make_edition())
    row: dict[str, Any] = Subscriber.objects.filter(pk=reader.pk).values().get()
    filled = [name for name, value in row.items() if value not in (None, "", b"")]
    held = retention.held_about(reader, "en")
    assert len(held) == len(filled) + 1, "and how many letters went to them"


def test_obeying_twice_does_nothing_more() -> None:
    arrive()
    retention.obey(NOW + 8 * DAY)
    assert retention.obey(NOW + 8 * DAY) == {}
