"""The demo's editions and subscribers."""

import datetime as dt
import io

import pytest
from django.core.management import call_command

from articles.models import SiteSettings
from core.weeks import Week
from demo.subscribers import load_demo_subscribers
from keys.sealing import KeyNotFound, worker_keys
from newsletter.models import Edition, Subscriber, SubscriberStatus
from newsletter.models.variants import VariantKind

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
RESERVED = ("@example.org", "@example.com", "@example.net")


def test_it_makes_two_editions_that_go_on_monday_at_nine_in_vilnius() -> None:
    SiteSettings.objects.create(pk=1, name_en="Long View", name_be="Доўгі погляд")
    load_demo_subscribers(NOW)
    english, other = Edition.objects.all()
    assert (english.code, english.name, english.languages) == ("en", "EN", ["en"])
    assert (other.code, other.name, other.languages) == ("be-ru", "BE/RU", ["be", "ru"])
    assert (english.sender_name, other.sender_name) == ("Long View", "Доўгі погляд")
    assert (english.list_id, other.list_id) == ("en.newsroom.example", "be-ru.newsroom.example")
    for edition in (english, other):
        assert edition.sender_address == "letter@newsroom.example"
        due = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)
        assert edition.due_at(Week(dt.date(2026, 11, 16))) == due


def test_it_makes_twelve_active_subscribers_at_reserved_domains() -> None:
    report = load_demo_subscribers(NOW)
    assert str(report) == "Loaded 2 editions and 12 subscribers."
    subscribers = Subscriber.objects.all()
    assert {subscriber.status for subscriber in subscribers} == {SubscriberStatus.ACTIVE}
    assert {subscriber.provider for subscriber in subscribers} == {"other"}
    addresses = [subscriber.address(worker_keys()) for subscriber in subscribers]
    assert len(set(addresses)) == 12
    assert all(address.endswith(RESERVED) for address in addresses)
    assert {address[address.index("@") :] for address in addresses} == set(RESERVED)


def test_each_edition_has_subscribers_in_its_first_language() -> None:
    load_demo_subscribers(NOW)
    counted = {
        edition.code: Subscriber.objects.of_edition(edition).count()
        for edition in Edition.objects.all()
    }
    assert counted == {"en": 7, "be-ru": 5}
    assert {
        (subscriber.edition.code, subscriber.language)
        for subscriber in Subscriber.objects.select_related("edition")
    } == {("en", "en"), ("be-ru", "be")}


def test_some_subscribers_of_each_edition_chose_the_discreet_letter() -> None:
    load_demo_subscribers(NOW)
    for edition in Edition.objects.all():
        assert edition.offers_discreet
        discreet = Subscriber.objects.of_edition(edition).filter(variant=VariantKind.DISCREET)
        assert discreet.count() == 2


def test_a_second_run_adds_nothing() -> None:
    load_demo_subscribers(NOW)
    report = load_demo_subscribers(NOW + dt.timedelta(weeks=1))
    assert (report.editions, report.subscribers) == (0, 0)
    assert "already" in str(report)
    assert (Edition.objects.count(), Subscriber.objects.count()) == (2, 12)


def test_editions_of_the_newsrooms_own_stay_alone() -> None:
    Edition.objects.create(
        code="all",
        name="ALL",
        languages=["en"],
        sender_name="We",
        sender_address="we@newsroom.example",
        list_id="all.newsroom.example",
    )
    load_demo_subscribers(NOW)
    assert [edition.code for edition in Edition.objects.all()] == ["all"]
    assert not Subscriber.objects.exists()


@pytest.mark.usefixtures("without_worker_key")
def test_without_the_workers_key_nothing_is_made() -> None:
    with pytest.raises(KeyNotFound):
        load_demo_subscribers(NOW)
    assert not Edition.objects.exists()


def test_the_command_says_what_it_did() -> None:
    said = io.StringIO()
    call_command("load_demo_subscribers", stdout=said)
    assert "12 subscribers" in said.getvalue()
