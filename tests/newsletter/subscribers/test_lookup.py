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
from keys.sealing import KeyMissing
from newsletter import schedule
from newsletter.models import (
    Answer,
    Edition,
    Inquiry,
    Spending,
    Subscriber,
    SubscriberStatus,
    Suppression,
    Wish,
    WorkerQuota,
)
from newsletter.models.quotas import window_start
from newsletter.subscribers import lookup
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyQuestions
from newsletter.tasks import answer_inquiry
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, enrol, make_edition, make_subscriber, make_user
from tests.html_pages import dense

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
ADDRESS = "reader@example.org"


@pytest.fixture
def edition() -> Edition:
    return make_edition()


def asked(address: str = ADDRESS, now: dt.datetime = NOW) -> Inquiry:
    inquiry = lookup.ask(address, make_user(), now)
    lookup.answer(inquiry.pk, now)
    inquiry.refresh_from_db()
    return inquiry


@pytest.mark.both_databases
def test_a_worker_finds_the_row_and_forgets_the_address(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    inquiry = lookup.ask(" Reader@Example.ORG ", make_user(), NOW)
    assert inquiry.answer == Answer.WAITING
    assert inquiry.sealed_address
    assert schedule.settle_and_launch(NOW).inquiries == [inquiry.pk]
    lookup.answer(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert (inquiry.answer, inquiry.status) == (Answer.KNOWN, reader.status)
    assert not inquiry.sealed_address
    assert schedule.settle_and_launch(NOW).inquiries == []


def test_who_is_suppressed_or_unknown_is_told_apart(edition: Edition) -> None:
    assert asked().answer == Answer.UNKNOWN
    make_subscriber(edition=edition, address=ADDRESS).end(SubscriberStatus.LEFT, NOW)
    Subscriber.objects.all().delete()
    inquiry = asked()
    assert (inquiry.answer, inquiry.suppressed_for) == (Answer.SUPPRESSED, "left")
    assert not inquiry.status


def test_no_answer_says_which_row_it_is_about(edition: Edition) -> None:
    """Neither by an id nor by a time, by which a row can be found as well."""
    reader = make_subscriber(edition=edition, address=ADDRESS)
    reader.end(SubscriberStatus.BOUNCED, NOW)
    said = Inquiry.objects.values().get(pk=asked(now=NOW + dt.timedelta(hours=1)).pk)
    row = Subscriber.objects.values().get()
    sealed = bytes(said.pop("sealed_subject"))
    assert said.pop("sealed_address") == b""
    shared = {"edition_id", "status"}
    assert {name for name in said if name in row and said[name] == row[name]} == shared
    assert row["id"] not in said.values()
    assert str(row["id"]).encode() not in sealed
    for entry in AuditEntry.objects.all():
        assert row["id"] not in vars(entry).values()


def test_the_web_process_cannot_answer(edition: Edition, without_worker_key: None) -> None:
    inquiry = lookup.ask(ADDRESS, make_user(), NOW)
    with pytest.raises(KeyMissing):
        lookup.answer(inquiry.pk, NOW)


def test_each_question_is_written_down_without_the_address(edition: Edition) -> None:
    asked()
    entry = AuditEntry.objects.get(action=AuditAction.ASKED)
    assert entry.actor == make_user().username
    assert ADDRESS not in str(vars(entry))


def written(by: Any, number: int, address: str = ADDRESS) -> list[Inquiry]:
    """As whoever controls the web process writes them, past the form."""
    sealed = [sealing.seal_intake(sealing.padded(address), lookup.PURPOSE) for _ in range(number)]
    return [Inquiry.objects.create(asked_by=by, asked_at=NOW, sealed_address=s) for s in sealed]


def answers(rows: list[Inquiry], now: dt.datetime = NOW) -> Counter[str]:
    for row in rows:
        lookup.work_on(row.pk, now)
        row.refresh_from_db()
    return Counter(row.answer for row in rows)


def test_a_day_has_so_many_questions_for_each_member_of_staff(
    edition: Edition, settings: Settings
) -> None:
    settings.LIST_QUESTIONS_PER_DAY = 2
    asked()
    asked()
    with pytest.raises(TooManyQuestions):
        asked()
    assert AuditEntry.objects.filter(action=AuditAction.ASKED).count() == 2
    asked(now=NOW + dt.timedelta(days=1))
    lookup.ask(ADDRESS, make_user(username="another"), NOW)


def test_what_waits_for_an_answer_is_counted_before_it_is_asked(
    edition: Edition, settings: Settings
) -> None:
    settings.LIST_QUESTIONS_PER_DAY = 1
    lookup.ask(ADDRESS, make_user(), NOW)
    with pytest.raises(TooManyQuestions):
        lookup.ask(ADDRESS, make_user(), NOW)


@pytest.mark.both_databases
def test_a_worker_answers_no_more_rows_than_a_day_has_whoever_wrote_them(
    edition: Edition, settings: Settings
) -> None:
    settings.LIST_QUESTIONS_PER_DAY = 3
    make_subscriber(edition=edition, address=ADDRESS)
    rows = written(make_user(), 5)
    assert answers(rows) == {Answer.KNOWN: 3, Answer.REFUSED: 2}
    assert not any(row.status or row.sealed_subject or row.sealed_address for row in rows[3:])
    entries = AuditEntry.objects.filter(action=AuditAction.ASKED)
    # Each answer, and that more were refused: once, for a flood must not fill the audit.
    assert entries.count() == 4
    assert answers(written(make_user(), 1), NOW + dt.timedelta(days=1)) == {Answer.KNOWN: 1}


def test_asking_in_many_names_comes_no_further_than_the_total_of_all(
    edition: Edition, settings: Settings
) -> None:
    settings.LIST_QUESTIONS_PER_DAY, settings.LIST_QUESTIONS_PER_DAY_TOTAL = 2, 5
    rows = [row for n in range(4) for row in written(make_user(username=f"u{n}"), 2)]
    assert answers(rows) == {Answer.UNKNOWN: 5, Answer.REFUSED: 3}


def test_a_refused_question_costs_nothing(edition: Edition, settings: Settings) -> None:
    settings.LIST_QUESTIONS_PER_DAY, settings.LIST_QUESTIONS_PER_DAY_TOTAL = 1, 3
    answers(written(make_user(), 9))
    assert answers(written(make_user(username="another"), 1)) == {Answer.UNKNOWN: 1}


def test_nothing_that_the_form_writes_lifts_the_limit(edition: Edition, settings: Settings) -> None:
    """Deleting the questions, or the audit of others, gives none back."""
    settings.LIST_QUESTIONS_PER_DAY = 2
    answers(written(make_user(), 2))
    Inquiry.objects.all().delete()
    Spending.objects.all().delete()
    assert answers(written(make_user(), 1)) == {Answer.REFUSED: 1}


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_workers_that_answer_at_once_share_one_limit(settings: Settings) -> None:
    settings.LIST_QUESTIONS_PER_DAY, settings.LIST_QUESTIONS_PER_DAY_TOTAL = 2, 3
    rows = [row for n in range(3) for row in written(make_user(username=f"u{n}"), 3)]

    def work(row: Inquiry) -> None:
        lookup.work_on(row.pk, NOW)
        connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, rows))
    found = Counter(Inquiry.objects.values_list("answer", flat=True))
    assert found == {Answer.UNKNOWN: 3, Answer.REFUSED: 6}
    assert WorkerQuota.spent("questions", window_start(NOW, dt.timedelta(days=1))) == 3


@pytest.mark.parametrize("inside", [b"\xff\xfe", b"no address", b"a@b.example\r\nBcc: c@d.example"])
def test_what_is_no_question_is_neither_answered_nor_in_the_way(
    edition: Edition, inside: bytes
) -> None:
    sealed = sealing.seal_intake(inside, lookup.PURPOSE)
    row = Inquiry.objects.create(asked_by=make_user(), asked_at=NOW, sealed_address=sealed)
    assert answers([row]) == {Answer.UNREADABLE: 1}
    assert schedule.settle_and_launch(NOW).inquiries == []


def test_what_is_no_address_costs_no_question(edition: Edition, settings: Settings) -> None:
    settings.LIST_QUESTIONS_PER_DAY = 1
    with pytest.raises(InvalidAddress):
        asked("rubbish")
    assert asked()


def test_what_was_sealed_with_a_foreign_key_is_said(edition: Edition) -> None:
    inquiry = lookup.ask(ADDRESS, make_user(), NOW)
    Inquiry.objects.update(sealed_address=b"rubbish" * 20)
    lookup.answer(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert inquiry.answer == Answer.UNREADABLE


def granted(inquiry: Inquiry, wish: Wish) -> str:
    assert inquiry.wish_for(wish)
    assert not inquiry.wish_for(wish), "one at a time"
    assert schedule.settle_and_launch(NOW).inquiries == [inquiry.pk]
    lookup.work_on(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    return inquiry.answer


def test_a_complaint_is_lifted_by_a_managers_hand_alone(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    reader.end(SubscriberStatus.COMPLAINED, NOW)
    assert granted(asked(), Wish.LIFT) == Answer.LIFTED
    assert not Suppression.objects.exists()
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.COMPLAINED, "they still have to sign up themselves"
    assert AuditEntry.objects.filter(action=AuditAction.LIFTED).count() == 1


@pytest.mark.both_databases
def test_what_was_wished_for_is_done_once(edition: Edition) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    assert granted(inquiry, Wish.TAKE_OFF) == Answer.TAKEN_OFF
    assert not inquiry.wish_for(Wish.FORGET), "whom it is about is forgotten"
    assert not lookup.work_on(inquiry.pk, NOW)
    assert AuditEntry.objects.filter(action=AuditAction.REMOVED).count() == 1


def test_whoever_has_gone_meanwhile_is_not_looked_for(edition: Edition) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    Subscriber.objects.all().delete()
    assert granted(inquiry, Wish.FORGET) == Answer.UNKNOWN


def test_an_answer_that_older_keys_sealed_is_asked_for_again(
    edition: Edition, fresh_keys: Path
) -> None:
    make_subscriber(edition=edition, address=ADDRESS)
    inquiry = asked()
    Inquiry.objects.update(sealed_subject=b"rubbish" * 20)
    assert granted(inquiry, Wish.TAKE_OFF) == Answer.UNREADABLE
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


def test_the_list_shows_numbers_and_no_reader(manager: Client, edition: Edition) -> None:
    for number in range(7):
        make_subscriber(edition=edition, address=f"planted{number}@example.org")
    page = dense(manager.get("/admin/newsletter/subscriber/").content.decode())
    assert "planted" not in page
    assert ">7<" in page
    for reader in Subscriber.objects.all():
        assert str(reader.pk) not in page


def test_a_manager_asks_and_acts_on_the_row(manager: Client, edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": ADDRESS})
    assert answer.status_code == 302
    waiting = manager.get(answer.url).content.decode()
    assert 'http-equiv="refresh"' in waiting
    answer_inquiry(Inquiry.objects.get().pk)
    page = manager.get(answer.url).content.decode()
    assert str(reader.pk) not in page
    assert ADDRESS not in page
    assert manager.post(answer.url + "take-off/").url == answer.url
    answer_inquiry(Inquiry.objects.get().pk)
    assert "The address is erased" in manager.get(answer.url).content.decode()
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.LEFT
    assert not reader.sealed_address
    entry = AuditEntry.objects.get(action=AuditAction.REMOVED)
    assert (entry.actor, entry.subject_type) == ("somebody", "newsletter.inquiry")


def test_a_manager_forgets_somebody_who_asked_for_it(manager: Client, edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    reader.end(SubscriberStatus.LEFT, NOW)
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": ADDRESS})
    answer_inquiry(Inquiry.objects.get().pk)
    assert manager.get(answer.url + "forget/").status_code == 405
    manager.post(answer.url + "forget/")
    answer_inquiry(Inquiry.objects.get().pk)
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.FORGOT).exists()


def test_a_bad_question_is_told_on_the_page(manager: Client, edition: Edition) -> None:
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": "rubbish"})
    assert answer.status_code == 400
    assert "not an e-mail address" in answer.content.decode()


def test_an_answer_is_for_whoever_asked(manager: Client, edition: Edition) -> None:
    inquiry = lookup.ask(ADDRESS, make_user(username="another"), NOW)
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


def test_no_row_of_the_list_has_a_page(manager: Client, edition: Edition) -> None:
    reader = make_subscriber(edition=edition)
    for number in (reader.pk, reader.pk + 1):
        for ending in ("", "change/", "history/", "delete/", "do/take-off/"):
            path = f"/admin/newsletter/subscriber/{number}/{ending}"
            assert manager.get(path).status_code == manager.post(path).status_code == 404
