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
    SignUp,
    Spending,
    Subscriber,
    VariantKind,
)
from newsletter.models.outbox import LEASE
from newsletter.models.quotas import DAY, HOUR, window_start
from newsletter.subscribers import sign_up
from newsletter.subscribers.rate_limit import (
    MOST_CLIENTS,
    MOST_IN_WINDOW,
    PROXYS_WORD,
    WINDOW,
    Pace,
)
from newsletter.tasks import take_sign_ups
from newsroom.celery import app
from newsroom.settings import BASE_DIR, LETTERS, QUEUES, SIGN_UPS
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.newsletter import single_mails
from tests.newsletter.relays import Moody, after

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
    reader = sign_up.process_sign_up(row.pk, now)
    assert reader is not None
    return Subscriber.objects.get(pk=reader)


def test_new_known_suppressed_too_fast_and_trapped_are_answered_byte_for_byte_alike(
    client: Client, edition: Edition, django_assert_num_queries: object
) -> None:
    make_subscriber(edition=edition, address="known@example.org")
    with_complaint = make_subscriber(edition=edition, address="gone@example.org")
    with_complaint.end("complained", NOW)
    answers = [post(client, email=f"{who}@example.org") for who in ("new", "known", "gone")]
    answers.append(post(client, website="https://pills.example"))
    answers += [post(client, email="new@example.org") for _ in range(MOST_IN_WINDOW)]
    assert {status for status, _content, _headers in answers} == {302}
    assert len({(content, str(headers)) for _status, content, headers in answers}) == 1
    manners = SignUp.objects.order_by("arrived_at").values_list("manner", flat=True)
    assert manners[3] == Manner.TRAPPED
    assert manners[len(manners) - 1] == Manner.FAST


def test_what_a_machine_wrote_out_of_sight_is_dropped_unopened_and_counted(
    edition: Edition,
) -> None:
    row = sign_up.sign_up("a@example.org", edition, "be", NOW, manner=Manner.TRAPPED)
    assert sign_up.process_sign_up(row.pk, NOW) is None
    assert not SignUp.objects.exists()
    assert not Subscriber.objects.exists()
    assert Spending.spent(sign_up.TRAPPED, window_start(NOW, DAY)) == 1


def test_who_comes_too_fast_waits_and_is_asked_all_the_same(edition: Edition) -> None:
    row = sign_up.sign_up("a@example.org", edition, "be", NOW, manner=Manner.FAST)
    assert schedule.settle_and_launch(NOW).sign_ups == []
    later = NOW + schedule.FAST_ONES_WAIT
    assert schedule.settle_and_launch(later).sign_ups == [row.pk]
    assert sign_up.process_sign_up(row.pk, later)


def test_a_flood_leaves_half_of_the_hour_to_everybody_else(
    edition: Edition, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 6
    fast = [
        sign_up.sign_up(f"a{n}@example.org", edition, "be", NOW, manner=Manner.FAST).pk
        for n in range(20)
    ]
    later = NOW + schedule.FAST_ONES_WAIT
    normal = sign_up.sign_up("reader@example.org", edition, "be", later).pk
    found = schedule.settle_and_launch(later).sign_ups
    assert found[0] == normal
    assert found[1:] == fast[:3]


def test_past_the_hours_budget_confirmations_wait_for_the_next_hour(
    edition: Edition, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 2
    readers = [arrive(edition, f"a{n}@example.org") for n in range(3)]
    sent = [single_mails.send_confirmation(one.pk, NOW) for one in readers]
    assert sent == [True, True, False]
    assert len(mail.outbox) == 2
    assert schedule.settle_and_launch(NOW).single_mails == 0
    next_hour = window_start(NOW, HOUR) + HOUR
    assert single_mails.waiting(MailKind.CONFIRMATION, next_hour) == [readers[2].pk]
    assert single_mails.send_confirmation(readers[2].pk, next_hour)


def test_a_confirmation_that_the_relay_did_not_take_costs_no_budget(
    edition: Edition, relay: Catcher, settings: Settings
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 1
    reader = arrive(edition, "a@example.org")
    Moody.moods["RCPT"] = after(0, "451 4.3.0 later")
    assert not single_mails.send_confirmation(reader.pk, NOW)
    Moody.moods.clear()
    assert single_mails.send_confirmation(reader.pk, NOW + LEASE)


def test_no_text_of_a_visitor_reaches_a_mail(
    client: Client, edition: Edition, django_capture_on_commit_callbacks: object
) -> None:
    post(client, email="buy-pills@example.org", website="", anyway="pills", edition="be-ru")
    take_sign_ups()
    reader = Subscriber.objects.get()
    single_mails.send_confirmation(reader.pk, NOW)
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
def test_an_address_that_cannot_be_written_to_is_told_so(
    client: Client, edition: Edition, typed: str, told: str
) -> None:
    status, content, _headers = post(client, email=typed)
    assert status == 400
    assert told in content.decode()
    assert not SignUp.objects.exists()


def test_an_international_domain_is_taken(client: Client, edition: Edition) -> None:
    assert post(client, email="reader@пошта.бел")[0] == 302


def test_a_mailbox_that_others_may_read_is_warned_of_once_and_gently(
    client: Client, edition: Edition
) -> None:
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


def test_discreet_is_offered_only_where_an_edition_has_the_means(
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
    take_sign_ups()
    reader = Subscriber.objects.get()
    assert reader.variant == VariantKind.DISCREET
    single_mails.send_confirmation(reader.pk, NOW)
    reader.confirm(NOW)
    single_mails.put(reader.pk, NOW, MailKind.WELCOME)
    single_mails.send_welcome(reader.pk, NOW)
    single_mails.put(reader.pk, NOW, MailKind.PREFERENCES)
    single_mails.send_preferences_link(reader.pk, NOW)
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


def test_behind_a_proxy_that_counts_its_word_is_the_word_and_the_site_does_not_count(
    client: Client, edition: Edition, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    many = MOST_IN_WINDOW * 3
    assert fast_ones(client, many, **{PROXYS_WORD: "REJECTED_DRY_RUN"}) == many
    # Whoever comes after a flood is as fast as the proxy says, and no faster.
    assert fast_ones(client, many, **{PROXYS_WORD: "PASSED"}) == 0
    assert fast_ones(client, 1, **{PROXYS_WORD: "PASSED", "X-Forwarded-For": "192.0.2.1"}) == 0
    assert not caplog.text


def test_one_who_floods_makes_nobody_else_too_fast_where_a_proxy_keeps_addresses(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert fast_ones(client, MOST_IN_WINDOW * 3) == 0


def test_where_there_is_no_proxy_a_client_does_not_say_how_fast_it_is(
    client: Client, edition: Edition
) -> None:
    assert fast_ones(client, MOST_IN_WINDOW + 2, **{PROXYS_WORD: "PASSED"}) == 2
    assert fast_ones(client, 1, **{PROXYS_WORD: "PASSED"}) == 1


def test_a_proxy_that_hands_on_addresses_has_the_site_count_each(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    flood = {"X-Forwarded-For": "198.51.100.1"}
    assert fast_ones(client, MOST_IN_WINDOW + 2, **flood) == 2
    for number in range(2, 8):
        assert fast_ones(client, 1, **{"X-Forwarded-For": f"198.51.100.{number}"}) == 0


def test_the_pace_forgets_everybody_with_each_window() -> None:
    pace = Pace(most=2)
    assert [pace.is_too_fast("a", NOW) for _ in range(3)] == [False, False, True]
    assert not pace.is_too_fast("b", NOW)
    assert not pace.is_too_fast("a", NOW + WINDOW)
    # A clock set back begins a new window too, or the old one would last for ever.
    assert not pace.is_too_fast("a", NOW - WINDOW)


def test_a_crowd_of_clients_does_not_fill_the_memory() -> None:
    pace = Pace()
    for number in range(MOST_CLIENTS):
        pace.is_too_fast(str(number), NOW)
    assert pace.is_too_fast("one more", NOW)
    assert not pace.is_too_fast("7", NOW)


# --- Queues, batches and how many may wait -------------------------------------------------


def names_of(queue: str) -> set[str]:
    """Which of our tasks go there, by what the settings say."""
    router: Any = app.amqp.router
    app.loader.import_default_modules()
    ours = [name for name in app.tasks if name.startswith(("articles.", "newsletter."))]
    return {name for name in ours if router.route({}, name)["queue"].name == queue}


def test_nothing_that_a_stranger_can_cause_stands_before_a_letter() -> None:
    assert names_of(LETTERS) == {
        "articles.tick",
        "newsletter.tick",
        "newsletter.sign_letters",
        "newsletter.work_lane",
    }
    assert names_of(SIGN_UPS) == {
        "newsletter.take_sign_ups",
        "newsletter.send_single_mails",
    }


def test_the_procfile_serves_each_queue_and_letters_apart() -> None:
    lines = (BASE_DIR / "Procfile").read_text().splitlines()
    words = [shlex.split(line) for line in lines if "--queues" in line]
    served = [one[one.index("--queues") + 1].split(",") for one in words]
    assert [LETTERS] in served
    assert sorted(name for queues in served for name in queues) == sorted(QUEUES)


def test_sign_ups_are_taken_in_by_batches_and_the_rest_at_the_back_of_the_queue(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SIGN_UPS_AT_ONCE", 3)
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "enqueue", lambda task, *ids: sent.append((task.name, *ids)))
    for number in range(7):
        sign_up.sign_up(f"a{number}@example.org", edition, "be", NOW)
    left = []
    for _time in range(3):
        take_sign_ups()
        left.append((SignUp.objects.count(), sent.copy()))
        sent.clear()
    mails, again = ("newsletter.send_single_mails",), ("newsletter.take_sign_ups",)
    assert left == [(4, [mails, again]), (1, [mails, again]), (0, [mails])]
    asked = set(Subscriber.objects.values_list("pk", flat=True))
    assert set(single_mails.waiting(MailKind.CONFIRMATION, timezone.now())) == asked
    assert len(asked) == 7


def test_a_flood_of_fast_ones_takes_no_more_than_half_of_the_hour_in_whatever_batches(
    edition: Edition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 6
    for number in range(20):
        sign_up.sign_up(f"a{number}@example.org", edition, "be", NOW, manner=Manner.FAST)
    later = NOW + schedule.FAST_ONES_WAIT
    for _batch in range(5):
        for pk in schedule.sign_ups(later, 2):
            sign_up.process_sign_up(pk, later)
    assert Subscriber.objects.count() == 3


def test_where_as_many_wait_as_may_the_form_says_so_honestly_and_keeps_what_was_typed(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_WAITING_SIGN_UPS = 2
    for number in range(2):
        assert post(client, email=f"a{number}@example.org")[0] == 302
    status, content, headers = post(client, email="late@example.org")
    page = content.decode()
    assert (status, headers["Retry-After"]) == (503, "3600")
    assert "паспрабуйце праз гадзіну" in page
    assert 'value="late@example.org"' in page
    assert SignUp.objects.count() == 2
    take_sign_ups()
    assert not SignUp.objects.exists()
    # Who waits for a confirmation still waits.
    assert post(client, email="late@example.org")[0] == 503
    for reader in Subscriber.objects.all():
        single_mails.send_confirmation(reader.pk, timezone.now())
    assert post(client, email="late@example.org")[0] == 302


@pytest.mark.parametrize("language", ["en", "be", "ru"])
def test_that_the_form_is_full_is_said_in_the_visitors_language(
    client: Client, edition: Edition, settings: Settings, language: str
) -> None:
    settings.MAX_WAITING_SIGN_UPS = 1
    sign_up.sign_up("a@example.org", edition, language, NOW)
    form = {"email": "late@example.org", "edition": "be-ru"}
    page = client.post(f"/{language}/subscribe/", form).content.decode()
    said = {"en": "try again in an hour", "be": "праз гадзіну", "ru": "через час"}
    assert said[language] in page


def test_those_that_come_too_fast_close_the_form_to_each_other_alone(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_WAITING_SIGN_UPS = MOST_IN_WINDOW + 2
    for number in range(2 * MOST_IN_WINDOW + 2):
        assert post(client, email=f"a{number}@example.org")[0] == 302
    assert post(client, email="one.more@example.org")[0] == 503
    # As another client, whom a proxy calls neither fast nor by name.
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert post(client, email="somebody.else@example.org")[0] == 302


def test_the_answer_is_the_same_for_everybody_when_it_is_full(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_WAITING_SIGN_UPS = 1
    make_subscriber(edition=edition, address="known@example.org")
    sign_up.sign_up("a@example.org", edition, "be", NOW)
    answers = set()
    for address in ("known@example.org", "never@example.org"):
        status, content, _headers = post(client, email=address)
        answers.add((status, content.replace(address.encode(), b"")))
    assert len(answers) == 1


def test_counting_those_that_wait_looks_no_further_than_it_must(
    edition: Edition, settings: Settings
) -> None:
    settings.MAX_WAITING_SIGN_UPS = 2
    with CaptureQueriesContext(connection) as asked:
        sign_up.is_full()
    assert all("LIMIT 2" in query["sql"] for query in asked)


def test_the_staff_are_told_that_the_form_takes_no_more_in(
    client: Client, edition: Edition, settings: Settings
) -> None:
    settings.MAX_WAITING_SIGN_UPS = 1
    client.force_login(make_user())
    assert "form takes no more" not in client.get("/admin/").content.decode()
    sign_up.sign_up("a@example.org", edition, "be", NOW)
    for path in ("/admin/", "/admin/newsletter/subscriber/"):
        assert "form takes no more in" in client.get(path).content.decode()
