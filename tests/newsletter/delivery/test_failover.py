"""Several relays: which is used, and what becomes of letters when one fails."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import lifecycle
from newsletter.delivery import ledger
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays import failover, limits
from newsletter.delivery.relays.config import Relay
from newsletter.models import Delivery, DeliveryStatus, Lane, Mailing, MailingStatus, RelayState
from newsletter.models.relays import MAX_BACKOFF, MIN_BACKOFF
from newsletter.subscribers import sign_up as subscribing
from tests.factories import MONDAY_MORNING, make_edition, make_mailing
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, hang_up, once, refusing_server

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
DEAD = Relay.parse("smtp://127.0.0.1:1")


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Catcher]:
    """Another relay, without moods."""
    with Catcher(tmp_path / "second") as catcher:
        yield catcher


def at(catcher: Catcher) -> Relay:
    return Relay.parse(f"smtp://127.0.0.1:{catcher.smtp_port}")


def launched(readers: int = 3) -> Mailing:
    mailing = make_mailing(readers=readers)
    lifecycle.launch(mailing, NOW)
    return mailing


def send(mailing: Mailing, now: dt.datetime = NOW, slot: int = 0) -> bool:
    more = run_lane(mailing.pk, slot, lambda: now)
    mailing.refresh_from_db()
    assert lifecycle.ledger(mailing).balances
    return more


def test_where_the_first_relay_is_down_the_next_takes_the_letters_at_once(
    relay: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (DEAD, at(relay))
    mailing = launched(3)
    assert send(mailing), "the lane is wanted again at once"
    assert not send(mailing)
    assert mailing.status == MailingStatus.SENT
    assert len(relay.letters) == 3
    assert set(Delivery.objects.values_list("relay", flat=True)) == {str(at(relay))}
    state = RelayState.objects.get(name=str(DEAD))
    assert (state.failures, state.down_until) == (1, NOW + MIN_BACKOFF)


def test_a_relay_that_comes_back_is_used_again(
    relay: Catcher, second: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (at(relay), at(second))
    failover.get_state(at(relay)).record_failure("TimeoutError", NOW)
    mailing = launched(2)
    send(mailing, NOW + MIN_BACKOFF)
    assert len(relay.letters) == 2
    state = RelayState.objects.get(name=str(at(relay)))
    assert (state.is_failing, state.down_until, state.cause) == (False, None, "")


def test_a_relay_is_left_alone_for_longer_each_time_but_not_for_ever() -> None:
    state = failover.get_state(DEAD)
    waits = []
    for _time in range(12):
        state.record_failure("TimeoutError", NOW)
        assert state.down_until is not None
        waits.append(state.down_until - NOW)
    assert waits[:3] == [MIN_BACKOFF, MIN_BACKOFF * 2, MIN_BACKOFF * 4]
    assert max(waits) == MAX_BACKOFF
    assert state.failing_since == NOW


def test_if_all_are_down_one_is_tried_all_the_same(relay: Catcher, settings: Settings) -> None:
    settings.RELAYS = (DEAD, at(relay))
    for one in settings.RELAYS:
        failover.get_state(one).record_failure("TimeoutError", NOW)
    failover.get_state(DEAD).record_failure("TimeoutError", NOW)
    mailing = launched(1)
    send(mailing)
    assert len(relay.letters) == 1


def test_a_relay_that_lets_nobody_in_is_replaced_and_the_mailing_goes_on(
    relay: Catcher, settings: Settings
) -> None:
    mailing = launched(2)
    with refusing_server(b"554 5.7.1 go away") as port:
        refusing = Relay.parse(f"smtp://127.0.0.1:{port}")
        settings.RELAYS = (refusing, at(relay))
        assert send(mailing)
    assert mailing.status == MailingStatus.SENDING
    assert RelayState.objects.get(name=str(refusing)).refuses
    send(mailing)
    assert mailing.status == MailingStatus.SENT
    assert len(relay.letters) == 2


def test_if_no_relay_lets_us_in_the_mailing_pauses_and_names_the_last(
    settings: Settings,
) -> None:
    failover.get_state(DEAD).record_failure("554 5.7.1", NOW, refuses=True)
    mailing = launched(1)
    with refusing_server(b"554 5.7.1 go away") as port:
        refusing = Relay.parse(f"smtp://127.0.0.1:{port}")
        settings.RELAYS = (refusing, DEAD)
        assert not send(mailing)
    assert mailing.status == MailingStatus.PAUSED
    assert mailing.pause_reason == f"{refusing}: refuses the connection (554 5.7.1)"


def test_a_refusal_of_long_ago_is_not_held_against_a_relay(
    relay: Catcher, settings: Settings
) -> None:
    failover.get_state(at(relay)).record_failure(
        "554 5.7.1", NOW - dt.timedelta(days=7), refuses=True
    )
    mailing = launched(1)
    with refusing_server(b"554 5.7.1 go away") as port:
        settings.RELAYS = (Relay.parse(f"smtp://127.0.0.1:{port}"), at(relay))
        assert send(mailing)
        send(mailing)
    assert mailing.status == MailingStatus.SENT


def test_a_relay_that_takes_connections_and_no_letters_is_replaced(
    relay: Catcher, second: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (at(relay), at(second))
    settings.CONNECTIONS = 1
    mailing = launched(2)
    ScriptedRelay.replies["MAIL"] = hang_up
    assert send(mailing)
    # What it had in hand waits a moment, as after any break; the other goes at once.
    send(mailing)
    assert len(second.letters) == 1
    send(mailing, NOW + ledger.RECONNECT_DELAY)
    send(mailing, NOW + 2 * ledger.RECONNECT_DELAY)
    assert mailing.status == MailingStatus.SENT
    assert len(second.letters) == 2


def test_what_is_uncertain_on_one_relay_is_never_sent_by_another(
    relay: Catcher, second: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (at(relay), at(second))
    settings.CONNECTIONS = 1
    mailing = launched(3)
    ScriptedRelay.replies["KEPT"] = once(hang_up)
    send(mailing)
    relay.stop()
    for minutes in range(3):
        send(mailing, NOW + dt.timedelta(minutes=minutes))
        send(mailing, NOW + dt.timedelta(minutes=minutes))
    assert mailing.status == MailingStatus.SENT
    [row] = Delivery.objects.filter(status=DeliveryStatus.UNCERTAIN)
    assert row.relay == str(at(relay))
    had = [letter.recipients for letter in [*relay.letters, *second.letters]]
    assert len(had) == len(set(had)) == 3


def test_beyond_the_first_relays_day_the_second_takes_the_rest(
    relay: Catcher, second: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (replace(at(relay), per_day=2), at(second))
    mailing = launched(5)
    assert send(mailing)
    send(mailing)
    assert (len(relay.letters), len(second.letters)) == (2, 3)


def test_all_lanes_together_open_no_more_connections_than_a_relay_allows(
    settings: Settings,
) -> None:
    settings.RELAYS = (replace(DEAD, connections=3),)
    settings.CONNECTIONS = 2
    mailing = launched(1)
    opened = [ledger.open_lane(mailing, slot, NOW) for slot in range(3)]
    assert [lane.connections if lane else None for lane in opened] == [2, 1, None]
    ledger.close_lane(opened[0], NOW)  # type: ignore[arg-type]
    again = ledger.open_lane(mailing, 2, NOW)
    assert again is not None
    assert again.connections == 2
    ledger.reap_expired(NOW + 2 * ledger.lease_duration())
    assert not Lane.objects.exists(), "a dead lane keeps none"


def test_lanes_beyond_them_use_the_next_relay(settings: Settings) -> None:
    other = Relay.parse("smtp://127.0.0.1:2")
    settings.RELAYS = (replace(DEAD, connections=1), other)
    settings.CONNECTIONS = 4
    mailing = launched(1)
    lanes = [ledger.open_lane(mailing, slot, NOW) for slot in range(2)]
    assert [(lane.relay, lane.connections) for lane in lanes if lane] == [
        (str(DEAD), 1),
        (str(other), 4),
    ]


def test_a_confirmation_goes_by_the_relay_that_works_and_counts_there(
    relay: Catcher, settings: Settings
) -> None:
    working = replace(at(relay), per_day=1)
    settings.RELAYS = (DEAD, working)
    settings.EMAIL_PORT = DEAD.port
    edition = make_edition()
    for name in ("a", "b"):
        sign_up = subscribing.sign_up(f"{name}@example.org", edition, "en", NOW)
        reader = subscribing.process_sign_up(sign_up.pk, NOW)
        assert reader is not None
        assert transactional_mails.send_confirmation(reader, NOW), "no limit keeps a single mail"
    assert len(relay.letters) == 2
    assert limits.used_today(working, NOW) == 2
    assert RelayState.objects.get(name=str(DEAD)).failures == 1, "it was left alone afterwards"
