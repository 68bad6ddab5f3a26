"""Is this person on the list? Who may ask, how often, and what stays of it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from newsletter import due, inquiring, managing
from newsletter.addresses import InvalidAddress
from newsletter.inquiring import TooManyQuestions
from newsletter.models import Answer, Edition, Inquiry, Subscriber, SubscriberStatus, Suppression
from newsletter.tasks import answer_inquiry
from newsroom.sealing import KeyMissing
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, enrol, make_edition, make_subscriber, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
ADDRESS = "reader@example.org"


@pytest.fixture
def edition() -> Edition:
    return make_edition()


def asked(address: str = ADDRESS, now: dt.datetime = NOW) -> Inquiry:
    inquiry = inquiring.ask(address, make_user(), now)
    inquiring.answer(inquiry.pk, now)
    inquiry.refresh_from_db()
    return inquiry


def test_a_worker_finds_the_row_and_forgets_the_address(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    inquiry = inquiring.ask(" Reader@Example.ORG ", make_user(), NOW)
    assert inquiry.answer == Answer.WAITING
    assert inquiry.sealed_address
    assert due.settle_and_launch(NOW).inquiries == [inquiry.pk]
    inquiring.answer(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert (inquiry.answer, inquiry.subscriber) == (Answer.KNOWN, reader)
    assert not inquiry.sealed_address
    assert due.settle_and_launch(NOW).inquiries == []


def test_who_is_suppressed_or_unknown_is_told_apart(edition: Edition) -> None:
    assert asked().answer == Answer.UNKNOWN
    make_subscriber(edition=edition, address=ADDRESS).end(SubscriberStatus.LEFT, NOW)
    Subscriber.objects.all().delete()
    inquiry = asked()
    assert inquiry.answer == Answer.SUPPRESSED
    assert inquiry.subscriber is None


def test_the_web_process_cannot_answer(edition: Edition, without_worker_key: None) -> None:
    inquiry = inquiring.ask(ADDRESS, make_user(), NOW)
    with pytest.raises(KeyMissing):
        inquiring.answer(inquiry.pk, NOW)


def test_each_question_is_written_down_without_the_address(edition: Edition) -> None:
    asked()
    entry = AuditEntry.objects.get(action=AuditAction.ASKED)
    assert entry.actor == make_user().username
    assert ADDRESS not in str(vars(entry))


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
    inquiring.ask(ADDRESS, make_user(username="another"), NOW)


def test_what_is_no_address_costs_no_question(edition: Edition, settings: Settings) -> None:
    settings.LIST_QUESTIONS_PER_DAY = 1
    with pytest.raises(InvalidAddress):
        asked("rubbish")
    assert asked()


def test_what_was_sealed_with_a_foreign_key_is_said(edition: Edition) -> None:
    inquiry = inquiring.ask(ADDRESS, make_user(), NOW)
    Inquiry.objects.update(sealed_address=b"rubbish" * 20)
    inquiring.answer(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    assert inquiry.answer == Answer.UNREADABLE


def test_a_complaint_is_lifted_by_a_managers_hand_alone(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    reader.end(SubscriberStatus.COMPLAINED, NOW)
    inquiry = asked()
    assert managing.lift_suppression(inquiry, make_user(), NOW)
    assert not Suppression.objects.exists()
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.COMPLAINED, "they still have to sign up themselves"
    assert AuditEntry.objects.filter(action=AuditAction.LIFTED).count() == 1


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
    page = manager.get("/admin/newsletter/subscriber/").content.decode()
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
    row = reverse("admin:newsletter_subscriber_change", args=[reader.pk])
    assert row in page
    assert ADDRESS not in page
    shown = manager.get(row).content.decode()
    assert ADDRESS not in shown
    manager.post(f"/admin/newsletter/subscriber/{reader.pk}/do/take-off/")
    reader.refresh_from_db()
    assert reader.status == SubscriberStatus.LEFT
    assert not reader.sealed_address
    assert AuditEntry.objects.filter(action=AuditAction.REMOVED).exists()


def test_a_manager_forgets_somebody_who_asked_for_it(manager: Client, edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address=ADDRESS)
    reader.end(SubscriberStatus.LEFT, NOW)
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": ADDRESS})
    answer_inquiry(Inquiry.objects.get().pk)
    assert manager.get(answer.url + "forget/").status_code == 405
    manager.post(answer.url + "forget/")
    assert not Subscriber.objects.exists()
    assert not Suppression.objects.exists()
    assert AuditEntry.objects.filter(action=AuditAction.FORGOT).exists()


def test_a_bad_question_is_told_on_the_page(manager: Client, edition: Edition) -> None:
    answer = manager.post("/admin/newsletter/subscriber/ask/", {"address": "rubbish"})
    assert answer.status_code == 400
    assert "not an e-mail address" in answer.content.decode()


def test_an_answer_is_for_whoever_asked(manager: Client, edition: Edition) -> None:
    inquiry = inquiring.ask(ADDRESS, make_user(username="another"), NOW)
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
    reader = make_subscriber(edition=edition)
    assert client.get(f"/admin/newsletter/subscriber/{reader.pk}/change/").status_code != 200
