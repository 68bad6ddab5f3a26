"""Is this person on the list? Who may ask, how often, and what stays of it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from keys import sealing
from keys.sealing import KeyNotFound
from newsletter import schedule
from newsletter.models import (
    Edition,
    LookupAction,
    LookupAnswer,
    Quota,
    Subscriber,
    SubscriberLookup,
    SubscriberStatus,
    Suppression,
    WorkerQuota,
)
from newsletter.models.quotas import window_start
from newsletter.subscribers import lookup
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyLookups
from newsletter.tasks import answer_lookup
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, enrol, make_edition, make_subscriber, make_user
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
ADDRESS = "reader@example.org"


@pytest.fixture
def edition() -> Edition:
    return make_edition()


def asked(address: str = ADDRESS, now: dt.datetime = NOW) -> SubscriberLookup:
    inquiry = lookup.request_lookup(address, make_user(), now)
    lookup.answer_lookup(inquiry.pk, now)
    inquiry.refresh_from_db()
    return inquiry


@pytest.mark.both_databases
def test_a_worker_finds_the_row_and_erases_the_address(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address=ADDRESS)
    inquiry = lookup.request_lookup(" Reader@Example.ORG ", make_user(), NOW)
    assert inquiry.answer == LookupAnswer.WAITING
    assert inquiry.sealed_address
    assert schedule.run_due(NOW).lookups == [inquiry.pk]
    lookup.answer_lookup(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert (inquiry.answer, inquiry.status) == (LookupAnswer.KNOWN, subscriber.status)
    assert not inquiry.sealed_address
    assert schedule.run_due(NOW).lookups == []


def test_suppressed_and_unknown_are_different_answers(edition: Edition) -> None:
    assert asked().answer == LookupAnswer.UNKNOWN
    make_subscriber(edition=edition, address=ADDRESS).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    Subscriber.objects.all().delete()
    inquiry = asked()
    assert (inquiry.answer, inquiry.suppressed_for) == (LookupAnswer.SUPPRESSED, "left")
    assert not inquiry.status


def test_no_answer_names_the_subscribers_row(edition: Edition) -> None:
    """Neither by an id nor by a time, by which a row can be found as well."""
    subscriber = make_subscriber(edition=edition, address=ADDRESS)
    subscriber.end(SubscriberStatus.BOUNCED, NOW)
    said = SubscriberLookup.objects.values().get(pk=asked(now=NOW + dt.timedelta(hours=1)).pk)
    row = Subscriber.objects.values().get()
    sealed = bytes(said.pop("sealed_subject"))
    assert said.pop("sealed_address") == b""
    shared = {"edition_id", "status"}
    assert {name for name in said if name in row and said[name] == row[name]} == shared
    assert row["id"] not in said.values()
    assert str(row["id"]).encode() not in sealed
    for entry in AuditEntry.objects.all():
        assert row["id"] not in vars(entry).values()


def test_the_web_process_cannot_answer_a_lookup(edition: Edition, without_worker_key: None) -> None:
    inquiry = lookup.request_lookup(ADDRESS, make_user(), NOW)
    with pytest.raises(KeyNotFound):
        lookup.answer_lookup(inquiry.pk, NOW)


def test_each_lookup_is_audited_without_the_address(edition: Edition) -> None:
    asked()
    entry = AuditEntry.objects.get(action=AuditAction.ASKED)
    assert entry.actor == make_user().username
    assert ADDRESS not in str(vars(entry))


def written(by: Any, number: int, address: str = ADDRESS) -> list[SubscriberLookup]:
    """As whoever controls the web process writes them, past the form."""
    sealed = [
        sealing.seal_intake(sealing.pad_address(address), lookup.PURPOSE) for _ in range(number)
    ]
    return [
        SubscriberLookup.objects.create(asked_by=by, asked_at=NOW, sealed_address=s) for s in sealed
    ]


def answers(rows: list[SubscriberLookup], now: dt.datetime = NOW) -> Counter[str]:
    for row in rows:
        lookup.process_lookup(row.pk, now)
        row.refresh_from_db()
    return Counter(row.answer for row in rows)


def test_each_member_of_staff_has_a_daily_limit_of_lookups(
    edition: Edition, settings: Settings
) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 2
    asked()
    asked()
    with pytest.raises(TooManyLookups):
        asked()
    assert AuditEntry.objects.filter(action=AuditAction.ASKED).count() == 2
    asked(now=NOW + dt.timedelta(days=1))
    lookup.request_lookup(ADDRESS, make_user(username="another"), NOW)


def test_waiting_lookups_count_towards_the_limit(edition: Edition, settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 1
    lookup.request_lookup(ADDRESS, make_user(), NOW)
    with pytest.raises(TooManyLookups):
        lookup.request_lookup(ADDRESS, make_user(), NOW)


@pytest.mark.both_databases
def test_a_worker_enforces_the_daily_limit_whoever_wrote_the_rows(
    edition: Edition, settings: Settings
) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 3
    make_subscriber(edition=edition, address=ADDRESS)
    rows = written(make_user(), 5)
    assert answers(rows) == {LookupAnswer.KNOWN: 3, LookupAnswer.REFUSED: 2}
    assert not any(row.status or row.sealed_subject or row.sealed_address for row in rows[3:])
    entries = AuditEntry.objects.filter(action=AuditAction.ASKED)
    # Each answer, and that more were refused: once, for a flood must not fill the audit.
    assert entries.count() == 4
    assert answers(written(make_user(), 1), NOW + dt.timedelta(days=1)) == {LookupAnswer.KNOWN: 1}


def test_lookups_in_many_names_reach_the_total_limit(edition: Edition, settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY, settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = 2, 5
    rows = [row for n in range(4) for row in written(make_user(username=f"u{n}"), 2)]
    assert answers(rows) == {LookupAnswer.UNKNOWN: 5, LookupAnswer.REFUSED: 3}


def test_a_refused_lookup_is_not_counted(edition: Edition, settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY, settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = 1, 3
    answers(written(make_user(), 9))
    assert answers(written(make_user(username="another"), 1)) == {LookupAnswer.UNKNOWN: 1}


def test_nothing_that_the_form_writes_lifts_the_limit(edition: Edition, settings: Settings) -> None:
    """Deleting the questions, or the audit of others, gives none back."""
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 2
    answers(written(make_user(), 2))
    SubscriberLookup.objects.all().delete()
    Quota.objects.all().delete()
    assert answers(written(make_user(), 1)) == {LookupAnswer.REFUSED: 1}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_workers_that_answer_at_once_share_one_limit(settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY, settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = 2, 3
    rows = [row for n in range(3) for row in written(make_user(username=f"u{n}"), 3)]

    def work(row: SubscriberLookup) -> None:
        lookup.process_lookup(row.pk, NOW)
        connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, rows))
    found = Counter(SubscriberLookup.objects.values_list("answer", flat=True))
    assert found == {LookupAnswer.UNKNOWN: 3, LookupAnswer.REFUSED: 6}
    assert WorkerQuota.spent("questions", window_start(NOW, dt.timedelta(days=1))) == 3


@pytest.mark.parametrize("inside", [b"\xff\xfe", b"no address", b"a@b.example\r\nBcc: c@d.example"])
def test_an_invalid_lookup_is_refused_and_blocks_no_other(edition: Edition, inside: bytes) -> None:
    sealed = sealing.seal_intake(inside, lookup.PURPOSE)
    row = SubscriberLookup.objects.create(asked_by=make_user(), asked_at=NOW, sealed_address=sealed)
    assert answers([row]) == {LookupAnswer.UNREADABLE: 1}
    assert schedule.run_due(NOW).lookups == []


def test_an_invalid_address_is_not_counted(edition: Edition, settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 1
    with pytest.raises(InvalidAddress):
        asked("rubbish")
    assert asked()


def test_a_lookup_sealed_with_a_foreign_key_is_reported(edition: Edition) -> None:
    inquiry = lookup.request_lookup(ADDRESS, make_user(), NOW)
    SubscriberLookup.objects.update(sealed_address=b"rubbish" * 20)
    lookup.answer_lookup(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert inquiry.answer == LookupAnswer.UNREADABLE


def granted(inquiry: SubscriberLookup, wish: LookupAction) -> str:
    assert inquiry.request_action(wish)
    assert not inquiry.request_action(wish), "one at a time"
    assert schedule.run_due(NOW).lookups == [inquiry.pk]
    lookup.process_lookup(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    return inquiry.answer


def test_only_a_manager_lifts_a_complaint(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address=ADDRESS)
    subscriber.end(SubscriberStatus.COMPLAINED, NOW)
    assert granted(asked(), LookupAction.LIFT) == LookupAnswer.LIFTED
    assert not Suppression.objects.exists()
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.COMPLAINED, "they still have to sign up themselves"
    assert AuditEntry.objects.filter(action=AuditAction.LIFTED).count() == 1


@pytest.mark.both_databases
def test_a_requested_action_is_applied_once(edition: Edition) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    assert granted(inquiry, LookupAction.TAKE_OFF) == LookupAnswer.TAKEN_OFF
    assert not inquiry.request_action(LookupAction.FORGET), "whom it is about is forgotten"
    assert not lookup.process_lookup(inquiry.pk, NOW)
    assert AuditEntry.objects.filter(action=AuditAction.REMOVED).count() == 1


def test_an_action_on_a_deleted_subscriber_does_nothing(edition: Edition) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    Subscriber.objects.all().delete()
    assert granted(inquiry, LookupAction.FORGET) == LookupAnswer.UNKNOWN


def test_an_answer_sealed_by_dropped_keys_asks_for_a_new_lookup(
    edition: Edition, fresh_keys: Path
) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    SubscriberLookup.objects.update(sealed_subject=b"rubbish" * 20)
    assert granted(inquiry, LookupAction.TAKE_OFF) == LookupAnswer.UNREADABLE
    assert Subscriber.objects.active().exists()


def log_in(client: Client, role: str) -> None:
    user = make_user(username="somebody", is_superuser=False, enrolled=False)
    user.groups.add(Group.objects.get(name=role))
    enrol(user)
    client.force_login(user)


# --- In the admin ----------------------------------------------------------------------


@pytest.fixture
def manager(client: Client) -> Client:
    log_in(client, "Manager")
    return client


def test_the_list_shows_numbers_and_no_subscriber(manager: Client, edition: Edition) -> None:
    for number in range(7):
        make_subscriber(edition=edition, address=f"planted{number}@example.org")
    page = normalize_html(manager.get("/admin/newsletter/subscriber/").content.decode())
    assert "planted" not in page
    assert ">7<" in page
    for subscriber in Subscriber.objects.all():
        assert str(subscriber.pk) not in page


def test_a_manager_looks_up_and_unsubscribes_somebody(manager: Client, edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address=ADDRESS)
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": ADDRESS})
    assert answer.status_code == 302
    waiting = manager.get(answer.url).content.decode()
    assert 'http-equiv="refresh"' in waiting
    answer_lookup(SubscriberLookup.objects.get().pk)
    page = manager.get(answer.url).content.decode()
    assert str(subscriber.pk) not in page
    assert ADDRESS not in page
    assert manager.post(answer.url + "take-off/").url == answer.url
    answer_lookup(SubscriberLookup.objects.get().pk)
    assert "The address is erased" in manager.get(answer.url).content.decode()
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.UNSUBSCRIBED
    assert not subscriber.sealed_address
    entry = AuditEntry.objects.get(action=AuditAction.REMOVED)
    assert (entry.actor, entry.subject_type) == ("somebody", "newsletter.subscriberlookup")


def test_a_manager_forgets_a_subscriber(manager: Client, edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address=ADDRESS)
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": ADDRESS})
    answer_lookup(SubscriberLookup.objects.get().pk)
    assert manager.get(answer.url + "forget/").status_code == 405
    manager.post(answer.url + "forget/")
    answer_lookup(SubscriberLookup.objects.get().pk)
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.FORGOT).exists()


def test_an_invalid_lookup_form_shows_its_error(manager: Client, edition: Edition) -> None:
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": "rubbish"})
    assert answer.status_code == 400
    assert "not an e-mail address" in answer.content.decode()


def test_a_lookup_is_shown_only_to_whoever_requested_it(manager: Client, edition: Edition) -> None:
    inquiry = lookup.request_lookup(ADDRESS, make_user(username="another"), NOW)
    for ending in ("", "lift/", "forget/"):
        path = f"/admin/newsletter/subscriber/answer/{inquiry.pk}/{ending}"
        answer = manager.post(path) if ending else manager.get(path)
        assert answer.status_code == 404


@pytest.mark.parametrize("role", ["Editor", "Analyst", "Translator"])
def test_who_does_not_manage_the_list_sees_nothing_of_it(
    client: Client, edition: Edition, role: str
) -> None:
    log_in(client, role)
    assert client.get("/admin/newsletter/subscriber/").status_code == 403
    assert (
        client.post("/admin/newsletter/subscriber/ask/", {"address": "a@b.by"}).status_code == 403
    )


def test_no_subscriber_has_a_page(manager: Client, edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition)
    for number in (subscriber.pk, subscriber.pk + 1):
        for ending in ("", "change/", "history/", "delete/", "do/take-off/"):
            path = f"/admin/newsletter/subscriber/{number}/{ending}"
            assert manager.get(path).status_code == manager.post(path).status_code == 404
