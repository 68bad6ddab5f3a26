"""Nobody makes us flood one mailbox, or one provider; and no count names either."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pytest
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter.models import Edition, OutboxMail, Quota, SignUp, Subscriber, WorkerQuota
from newsletter.models.outbox import LEASE_DURATION
from newsletter.models.quotas import CONFIRMATIONS, DAY, HOUR, OVERFULL, window_start
from newsletter.privacy import retention
from newsletter.subscribers import sign_up
from newsletter.subscribers.canonical_addresses import canonical_address, provider_or_domain
from newsletter.tasks import process_sign_ups
from tests.factories import MONDAY_MORNING, make_edition
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING


@pytest.fixture
def edition() -> Edition:
    return make_edition()


def arrive(edition: Edition, addresses: Iterable[str], now: dt.datetime = NOW) -> list[int]:
    """Signed up, and taken in by a worker; whoever is to be asked."""
    rows = [sign_up.sign_up(one, edition, "en", now).pk for one in addresses]
    found = (sign_up.process_sign_up(pk, now) for pk in rows)
    return [pk for pk in found if pk is not None]


def mailed(subscribers: Iterable[int], now: dt.datetime = NOW) -> list[str]:
    """Whom the confirmations of this moment went to."""
    mail.outbox.clear()
    for pk in subscribers:
        transactional_mails.send_confirmation(pk, now)
    return [to for message in mail.outbox for to in message.to]


def dotted(name: str, number: int) -> list[str]:
    """So many ways to put dots between the letters."""
    places = range(len(name) - 1)
    return [
        "".join(c + "." * (at in places and bits >> at & 1) for at, c in enumerate(name))
        for bits in range(number)
    ]


@pytest.mark.parametrize(
    "addresses",
    [
        [f"victim+{n}@example.org" for n in range(60)],
        [f"{local}@gmail.com" for local in dotted("victims", 40)],
        [f"victim-{n}@yahoo.com" for n in range(60)],
    ],
    ids=["plus-tags", "dots", "Yahoo's keywords"],
)
def test_one_mailbox_is_asked_three_times_a_day_however_it_is_written(
    edition: Edition, addresses: list[str]
) -> None:
    asked = arrive(edition, addresses)
    assert len(set(asked)) == len(addresses)
    # As it was typed: the one form is for counting alone.
    assert mailed(asked) == addresses[:3]
    assert mailed(asked) == mailed(asked, NOW + dt.timedelta(hours=3)) == []
    assert Quota.spent(OVERFULL, window_start(NOW, DAY)) == len(addresses) - 3


def test_a_dropped_confirmation_may_be_requested_again_tomorrow(edition: Edition) -> None:
    mailed(arrive(edition, [f"reader+{n}@example.org" for n in range(3)]))
    assert mailed(arrive(edition, ["reader@example.org"])) == []
    tomorrow = NOW + DAY
    assert mailed(arrive(edition, ["reader@example.org"], tomorrow), tomorrow) == [
        "reader@example.org"
    ]


def test_a_mailbox_at_its_limit_stops_nobody_else(edition: Edition) -> None:
    bomb = arrive(edition, [f"victim+{n}@example.org" for n in range(9)])
    other = arrive(edition, ["other@example.org"])
    assert mailed([*bomb, *other])[3:] == ["other@example.org"]
    assert WorkerQuota.spent(CONFIRMATIONS, window_start(NOW, HOUR)) == 4


def test_past_a_providers_hourly_limit_its_mailboxes_wait_and_others_do_not(
    edition: Edition, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_PROVIDER = 2
    # Two of one provider's domains, and a private domain, which is counted by itself.
    names = ["a@gmail.com", "b@googlemail.com", "c@gmail.com", "d@private.example"]
    asked = arrive(edition, names)
    assert mailed(asked) == ["a@gmail.com", "b@googlemail.com", "d@private.example"]
    next_hour = window_start(NOW, HOUR) + HOUR
    assert OutboxMail.objects.get(subscriber=asked[2]).due_at == next_hour
    assert mailed(asked, next_hour) == ["c@gmail.com"]


def test_a_relay_that_does_not_take_it_costs_a_mailbox_nothing(
    edition: Edition, relay: Catcher, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_MAILBOX = settings.CONFIRMATIONS_PER_PROVIDER = 1
    [subscriber] = arrive(edition, ["a@example.org"])
    ScriptedRelay.replies["RCPT"] = after(0, "451 4.3.0 later")
    assert not transactional_mails.send_confirmation(subscriber, NOW)
    ScriptedRelay.replies.clear()
    assert transactional_mails.send_confirmation(subscriber, NOW + LEASE_DURATION)


def test_the_response_is_the_same_at_a_mailboxs_limit(client: Client, edition: Edition) -> None:
    answers = set()
    for number in range(6):
        form = {"email": f"victim+{number}@example.org", "edition": "en"}
        answer = client.post("/en/subscribe/", form)
        answers.add((answer.status_code, answer.content, str(dict(answer.headers))))
        process_sign_ups()
        mailed(Subscriber.objects.values_list("pk", flat=True))
    assert len(answers) == 1


def test_no_count_names_a_mailbox_or_a_domain_or_is_the_same_on_two_days(
    edition: Edition, fresh_keys: object
) -> None:
    for now in (NOW, NOW + DAY):
        mailed(arrive(edition, ["somebody+x@private.example"], now), now)
        Subscriber.objects.all().delete()
    marks = list(WorkerQuota.objects.exclude(what=CONFIRMATIONS).values_list("what", flat=True))
    assert len(set(marks)) == len(marks) == 4
    said = " ".join(marks)
    assert "somebody" not in said
    assert "private" not in said
    # Nor does the hash on the list give the counts away.
    assert sealing.worker_keys().hash_address("somebody@private.example", 1).hex() not in said


def test_counts_of_mailboxes_are_gone_two_days_later(edition: Edition) -> None:
    mailed(arrive(edition, ["a@example.org"]))
    retention.apply_retention(NOW + DAY)
    assert WorkerQuota.objects.exists()
    retention.apply_retention(NOW + 3 * DAY)
    assert not WorkerQuota.objects.exists()


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ("reader@example.org", "reader@example.org"),
        ("r.e+a+b@example.org", "r.e@example.org"),
        ("+tag@example.org", "+tag@example.org"),
        ("a-b@example.org", "a-b@example.org"),
        ("A.b.C+x@googlemail.com".lower(), "abc@gmail.com"),
        ("base-keyword@yahoo.com", "base@yahoo.com"),
        ("a.b-c+x@ya.ru", "a-b-c@yandex.ru"),
        ("a_b.c-d@pm.me", "abcd@proton.me"),
        ("a.b@me.com", "a.b@icloud.com"),
        ("shop@reader.fastmail.com", "reader@fastmail.com"),
        ("reader+shop@fastmail.com", "reader@fastmail.com"),
        ("a.b@outlook.com", "a.b@outlook.com"),
        (".@gmail.com", ".@gmail.com"),
    ],
)
def test_all_addresses_of_a_mailbox_count_as_one(written: str, counted: str) -> None:
    assert canonical_address(written) == counted
    assert canonical_address(counted) == counted


def test_a_provider_is_recognised_by_all_its_domains() -> None:
    assert provider_or_domain("a@yandex.by") == provider_or_domain("a@ya.ru") == "yandex"
    assert provider_or_domain("a@private.example") == "private.example"


@pytest.mark.parametrize("inside", [b"\xff\xfe", b"nobody", b"a@b.example\r\nBcc: c@d.example"])
def test_a_sealed_address_that_the_form_would_refuse_is_dropped(
    edition: Edition, inside: bytes
) -> None:
    """As whoever has the web process may write it."""
    row = sign_up.sign_up("a@example.org", edition, "en", NOW)
    SignUp.objects.update(sealed_address=sealing.seal_intake(inside, sign_up.PURPOSE))
    assert sign_up.process_sign_up(row.pk, NOW) is None
    assert not SignUp.objects.exists()
    assert not Subscriber.objects.exists()
