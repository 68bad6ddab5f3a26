"""Signing up: pace, traps, budgets, warnings and the discreet choice."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from newsletter import schedule, tasks
from newsletter.models import (
    Edition,
    MailboxWarning,
    MailKind,
    Manner,
    Quota,
    SignUp,
    Subscriber,
    VariantKind,
)
from newsletter.models.outbox import LEASE_DURATION
from newsletter.models.quotas import DAY, HOUR, window_start
from newsletter.subscribers import sign_up
from newsletter.subscribers.rate_limit import (
    MAX_SIGN_UPS_PER_WINDOW,
    MAX_TRACKED_CLIENTS,
    PROXY_STATUS_HEADER,
    WINDOW,
    RateLimiter,
)
from newsletter.tasks import process_sign_ups
from newsroom.celery import app
from newsroom.settings import BASE_DIR, LETTERS_QUEUE, QUEUES, SIGN_UPS_QUEUE
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru", discreet=True)


def post(client: Client, **fields: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, bytes and headers: all that the one who asks can see."""
    typed = {"email": "reader@example.org", "edition": "be-ru", **fields}
    answer = client.post("/be/subscribe/", typed)
    return answer.status_code, answer.content, dict(answer.headers)


def arrive(edition: Edition, address: str, now: dt.datetime = NOW) -> Subscriber:
    row = sign_up.sign_up(address, edition, "be", now)
    subscriber = sign_up.process_sign_up(row.pk, now)
    assert subscriber is not None
    return Subscriber.objects.get(pk=subscriber)


def test_new_known_suppressed_rate_limited_and_trapped_get_identical_responses(
    client: Client, edition: Edition, django_assert_num_queries: object
) -> None:
    make_subscriber(edition=edition, address="known@example.org")
    with_complaint = make_subscriber(edition=edition, address="gone@example.org")
    with_complaint.end("complained", NOW)
    answers = [post(client, email=f"{who}@example.org") for who in ("new", "known", "gone")]
    answers.append(post(client, website="https://pills.example"))
    answers += [post(client, email="new@example.org") for _ in range(MAX_SIGN_UPS_PER_WINDOW)]
    assert {status for status, _content, _headers in answers} == {302}
    assert len({(content, str(headers)) for _status, content, headers in answers}) == 1
    manners = SignUp.objects.order_by("arrived_at").values_list("manner", flat=True)
    assert manners[3] == Manner.TRAPPED
    assert manners[len(manners) - 1] == Manner.FAST


def test_a_filled_honeypot_is_dropped_unopened_and_counted(
    edition: Edition,
) -> None:
    row = sign_up.sign_up("a@example.org", edition, "be", NOW, manner=Manner.TRAPPED)
    assert sign_up.process_sign_up(row.pk, NOW) is None
    assert not SignUp.objects.exists()
    assert not Subscriber.objects.exists()
    assert Quota.spent(sign_up.TRAPPED, window_start(NOW, DAY)) == 1


def test_a_rate_limited_sign_up_waits_and_is_confirmed_later(edition: Edition) -> None:
    row = sign_up.sign_up("a@example.org", edition, "be", NOW, manner=Manner.FAST)
    assert schedule.run_due(NOW).sign_ups == []
    later = NOW + schedule.FAST_SIGN_UP_DELAY
    assert schedule.run_due(later).sign_ups == [row.pk]
    assert sign_up.process_sign_up(row.pk, later)


def test_a_flood_leaves_half_of_the_hour_to_everybody_else(
    edition: Edition, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 6
    fast = [
        sign_up.sign_up(f"a{n}@example.org", edition, "be", NOW, manner=Manner.FAST).pk
        for n in range(20)
    ]
    later = NOW + schedule.FAST_SIGN_UP_DELAY
    normal = sign_up.sign_up("reader@example.org", edition, "be", later).pk
    found = schedule.run_due(later).sign_ups
    assert found[0] == normal
    assert found[1:] == fast[:3]


def test_past_the_hourly_limit_confirmations_wait_for_the_next_hour(
    edition: Edition, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 2
    subscribers = [arrive(edition, f"a{n}@example.org") for n in range(3)]
    sent = [transactional_mails.send_confirmation(one.pk, NOW) for one in subscribers]
    assert sent == [True, True, False]
    assert len(mail.outbox) == 2
    assert schedule.run_due(NOW).transactional_mails == 0
    next_hour = window_start(NOW, HOUR) + HOUR
    assert transactional_mails.waiting(MailKind.CONFIRMATION, next_hour) == [subscribers[2].pk]
    assert transactional_mails.send_confirmation(subscribers[2].pk, next_hour)


def test_a_confirmation_that_the_relay_deferred_is_not_counted(
    edition: Edition, relay: Catcher, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 1
    subscriber = arrive(edition, "a@example.org")
    ScriptedRelay.replies["RCPT"] = after(0, "451 4.3.0 later")
    assert not transactional_mails.send_confirmation(subscriber.pk, NOW)
    ScriptedRelay.replies.clear()
    assert transactional_mails.send_confirmation(subscriber.pk, NOW + LEASE_DURATION)


def test_no_text_of_a_visitor_reaches_a_mail(
    client: Client, edition: Edition, django_capture_on_commit_callbacks: object
) -> None:
    post(client, email="buy-pills@example.org", website="", anyway="pills", edition="be-ru")
    process_sign_ups()
    subscriber = Subscriber.objects.get()
    transactional_mails.send_confirmation(subscriber.pk, NOW)
    [message] = mail.outbox
    assert "pills" not in str(message.message()).replace("buy-pills@example.org", "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("чытач@example.org", "не падтрымліваюцца"),
        ("reader", "не адрас"),
        ("reader@-", "не адрас"),
    ],
)
def test_an_undeliverable_address_is_refused(
    client: Client, edition: Edition, typed: str, told: str
) -> None:
    status, content, _headers = post(client, email=typed)
    assert status == 400
    assert told in content.decode()
    assert not SignUp.objects.exists()


def test_an_international_domain_is_accepted(client: Client, edition: Edition) -> None:
    assert post(client, email="reader@пошта.бел")[0] == 302


def test_a_mailbox_warning_is_shown_once(client: Client, edition: Edition) -> None:
    MailboxWarning.objects.create(
        domains="mail.ru\nyandex.ru", text_be="Гэтую скрыню могуць чытаць іншыя."
    )
    status, content, _headers = post(client, email="reader@inbox.mail.ru")
    page = content.decode()
    assert status == 200
    assert "Гэтую скрыню могуць чытаць іншыя." in page
    assert "reader@inbox.mail.ru" in page, "what was typed stays"
    assert not SignUp.objects.exists()
    assert post(client, email="reader@inbox.mail.ru", anyway="1")[0] == 302
    assert post(client, email="reader@notmail.ru")[0] == 302


def test_a_warning_that_names_no_domain_is_refused() -> None:
    with pytest.raises(ValidationError, match="mail"):
        MailboxWarning(domains="mail").full_clean()
    warning = MailboxWarning(domains="  @Mail.RU \n пошта.бел ", text="a")
    warning.full_clean()
    assert warning.listed() == ["mail.ru", "xn--80a1acn3a.xn--90ais"]


def test_discreet_is_offered_only_where_an_edition_is_configured_for_it(
    client: Client, edition: Edition
) -> None:
    make_edition(code="en")
    page = client.get("/en/subscribe/").content.decode()
    assert "In these editions: BE/RU." in page
    status, content, _headers = post(client, edition="en", discreet="on")
    assert status == 400
    assert "EN" in content.decode()
    assert not SignUp.objects.exists()
    Edition.objects.update(discreet_subject="")
    assert 'name="discreet"' not in client.get("/en/subscribe/").content.decode()


def test_who_asks_for_a_discreet_letter_is_confirmed_and_welcomed_discreetly(
    client: Client, edition: Edition
) -> None:
    post(client, discreet="on")
    process_sign_ups()
    subscriber = Subscriber.objects.get()
    assert subscriber.variant == VariantKind.DISCREET
    transactional_mails.send_confirmation(subscriber.pk, NOW)
    subscriber.confirm(NOW)
    transactional_mails.put(subscriber.pk, NOW, MailKind.WELCOME)
    transactional_mails.send_welcome(subscriber.pk, NOW)
    transactional_mails.put(subscriber.pk, NOW, MailKind.PREFERENCES)
    transactional_mails.send_preferences_link(subscriber.pk, NOW)
    assert len(mail.outbox) == 3
    for message in mail.outbox:
        assert message.subject == edition.discreet_subject
        assert "neutral.example" in message.extra_headers["From"]
        assert "https://neutral.example/be/" in message.body
        assert "newsroom" not in str(message.message())
        assert not message.alternatives


def fast_ones(client: Client, times: int, **headers: str) -> int:
    """How many of so many sign-ups are said to have come too fast."""
    SignUp.objects.all().delete()
    form = {"email": "reader@example.org", "edition": "be-ru"}
    for _ in range(times):
        assert client.post("/be/subscribe/", form, headers=headers).status_code == 302
    return SignUp.objects.filter(manner=Manner.FAST).count()


def test_a_proxys_rate_limit_replaces_the_sites(
    client: Client, edition: Edition, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    many = MAX_SIGN_UPS_PER_WINDOW * 3
    assert fast_ones(client, many, **{PROXY_STATUS_HEADER: "REJECTED_DRY_RUN"}) == many
    # Whoever comes after a flood is as fast as the proxy says, and no faster.
    assert fast_ones(client, many, **{PROXY_STATUS_HEADER: "PASSED"}) == 0
    assert (
        fast_ones(client, 1, **{PROXY_STATUS_HEADER: "PASSED", "X-Forwarded-For": "192.0.2.1"}) == 0
    )
    assert not caplog.text


def test_behind_a_proxy_that_hides_addresses_nobody_is_rate_limited(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert fast_ones(client, MAX_SIGN_UPS_PER_WINDOW * 3) == 0


def test_without_a_proxy_the_clients_header_is_ignored(client: Client, edition: Edition) -> None:
    assert fast_ones(client, MAX_SIGN_UPS_PER_WINDOW + 2, **{PROXY_STATUS_HEADER: "PASSED"}) == 2
    assert fast_ones(client, 1, **{PROXY_STATUS_HEADER: "PASSED"}) == 1


def test_behind_a_proxy_that_forwards_addresses_the_site_counts_each_client(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    flood = {"X-Forwarded-For": "198.51.100.1"}
    assert fast_ones(client, MAX_SIGN_UPS_PER_WINDOW + 2, **flood) == 2
    for number in range(2, 8):
        assert fast_ones(client, 1, **{"X-Forwarded-For": f"198.51.100.{number}"}) == 0


def test_the_rate_limiter_resets_with_each_window() -> None:
    limiter = RateLimiter(limit=2)
    assert [limiter.exceeds_limit("a", NOW) for _ in range(3)] == [False, False, True]
    assert not limiter.exceeds_limit("b", NOW)
    assert not limiter.exceeds_limit("a", NOW + WINDOW)
    # A clock set back begins a new window too, or the old one would last for ever.
    assert not limiter.exceeds_limit("a", NOW - WINDOW)


def test_the_rate_limiter_bounds_its_memory() -> None:
    limiter = RateLimiter()
    for number in range(MAX_TRACKED_CLIENTS):
        limiter.exceeds_limit(str(number), NOW)
    assert limiter.exceeds_limit("one more", NOW)
    assert not limiter.exceeds_limit("7", NOW)


# --- Queues, batches and how many may wait -------------------------------------------------


def names_of(queue: str) -> set[str]:
    """Which of our tasks go there, by what the settings say."""
    router: Any = app.amqp.router
    app.loader.import_default_modules()
    ours = [name for name in app.tasks if name.startswith(("articles.", "newsletter."))]
    return {name for name in ours if router.route({}, name)["queue"].name == queue}


def test_nothing_that_a_stranger_can_cause_stands_before_a_letter() -> None:
    assert names_of(LETTERS_QUEUE) == {
        "articles.tick",
        "newsletter.tick",
        "newsletter.sign_letters",
        "newsletter.work_lane",
    }
    assert names_of(SIGN_UPS_QUEUE) == {
        "newsletter.take_sign_ups",
        "newsletter.send_single_mails",
    }


def test_the_procfile_serves_each_queue_and_letters_apart() -> None:
    lines = (BASE_DIR / "Procfile").read_text().splitlines()
    words = [shlex.split(line) for line in lines if "--queues" in line]
    served = [one[one.index("--queues") + 1].split(",") for one in words]
    assert [LETTERS_QUEUE] in served
    assert sorted(name for queues in served for name in queues) == sorted(QUEUES)


def test_sign_ups_are_processed_in_batches(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SIGN_UP_BATCH_SIZE", 3)
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task, *ids: sent.append((task.name, *ids)))
    for number in range(7):
        sign_up.sign_up(f"a{number}@example.org", edition, "be", NOW)
    left = []
    for _time in range(3):
        process_sign_ups()
        left.append((SignUp.objects.count(), sent.copy()))
        sent.clear()
    mails, again = ("newsletter.send_single_mails",), ("newsletter.take_sign_ups",)
    assert left == [(4, [mails, again]), (1, [mails, again]), (0, [mails])]
    asked = set(Subscriber.objects.values_list("pk", flat=True))
    assert set(transactional_mails.waiting(MailKind.CONFIRMATION, timezone.now())) == asked
    assert len(asked) == 7


def test_rate_limited_sign_ups_get_at_most_half_of_the_hourly_limit(
    edition: Edition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 6
    for number in range(20):
        sign_up.sign_up(f"a{number}@example.org", edition, "be", NOW, manner=Manner.FAST)
    later = NOW + schedule.FAST_SIGN_UP_DELAY
    for _batch in range(5):
        for pk in schedule.sign_ups(later, 2):
            sign_up.process_sign_up(pk, later)
    assert Subscriber.objects.count() == 3


def test_a_full_queue_is_said_on_the_form_which_keeps_what_was_typed(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_PENDING_SIGN_UPS = 2
    for number in range(2):
        assert post(client, email=f"a{number}@example.org")[0] == 302
    status, content, headers = post(client, email="late@example.org")
    page = content.decode()
    assert (status, headers["Retry-After"]) == (503, "3600")
    assert "паспрабуйце праз гадзіну" in page
    assert 'value="late@example.org"' in page
    assert SignUp.objects.count() == 2
    process_sign_ups()
    assert not SignUp.objects.exists()
    # Who waits for a confirmation still waits.
    assert post(client, email="late@example.org")[0] == 503
    for subscriber in Subscriber.objects.all():
        transactional_mails.send_confirmation(subscriber.pk, timezone.now())
    assert post(client, email="late@example.org")[0] == 302


@pytest.mark.parametrize("language", ["en", "be", "ru"])
def test_a_full_queue_is_said_in_the_visitors_language(
    client: Client, edition: Edition, settings: Settings, language: str
) -> None:
    settings.MAX_PENDING_SIGN_UPS = 1
    sign_up.sign_up("a@example.org", edition, language, NOW)
    form = {"email": "late@example.org", "edition": "be-ru"}
    page = client.post(f"/{language}/subscribe/", form).content.decode()
    said = {"en": "try again in an hour", "be": "праз гадзіну", "ru": "через час"}
    assert said[language] in page


def test_rate_limited_sign_ups_fill_a_queue_of_their_own(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_PENDING_SIGN_UPS = MAX_SIGN_UPS_PER_WINDOW + 2
    for number in range(2 * MAX_SIGN_UPS_PER_WINDOW + 2):
        assert post(client, email=f"a{number}@example.org")[0] == 302
    assert post(client, email="one.more@example.org")[0] == 503
    # As another client, whom a proxy calls neither fast nor by name.
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert post(client, email="somebody.else@example.org")[0] == 302


def test_a_full_queue_gives_everybody_the_same_response(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_PENDING_SIGN_UPS = 1
    make_subscriber(edition=edition, address="known@example.org")
    sign_up.sign_up("a@example.org", edition, "be", NOW)
    answers = set()
    for address in ("known@example.org", "never@example.org"):
        status, content, _headers = post(client, email=address)
        answers.add((status, content.replace(address.encode(), b"")))
    assert len(answers) == 1


def test_counting_the_queue_is_bounded(edition: Edition, settings: Settings) -> None:
    settings.MAX_PENDING_SIGN_UPS = 2
    with CaptureQueriesContext(connection) as asked:
        sign_up.is_queue_full()
    assert all("LIMIT 2" in query["sql"] for query in asked)


def test_the_dashboard_says_that_the_queue_is_full(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_PENDING_SIGN_UPS = 1
    client.force_login(make_user())
    assert "form takes no more" not in client.get("/admin/").content.decode()
    sign_up.sign_up("a@example.org", edition, "be", NOW)
    for path in ("/admin/", "/admin/newsletter/subscriber/"):
        assert "form takes no more in" in client.get(path).content.decode()
