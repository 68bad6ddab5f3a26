"""Whatever a relay does: the ledger stays true, and the message names the cause."""

from __future__ import annotations

import logging
import socket
from typing import Any
from unittest import mock

import pytest
from pytest_django.fixtures import Settings

from newsletter.delivery import batch, ledger
from newsletter.delivery.relays import failover
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.smtp.client import Connection, ConnectionLost, Envelope, ReadyForData
from newsletter.models import Delivery, DeliveryStatus, MailingStatus, Subscriber
from tests.factories import MONDAY_MORNING
from tests.newsletter import bad_relays as bad
from tests.newsletter.conftest import Against
from tests.newsletter.delivery.lane_batches import addresses, launched, next_events, turn, turns

pytestmark = pytest.mark.django_db
READERS = 3


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the worker's log has."""
    caplog.set_level(logging.INFO, "newsletter")
    return caplog


def no_address_in(text: str) -> bool:
    return "example.org" not in text


# --- At the door ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.TalksGarbage, "answers something that is not SMTP"),
        (bad.NeverEndsTheLineOfItsGreeting, "gives an answer that does not end"),
        (bad.NeverEndsItsGreeting, "gives an answer that does not end"),
        (bad.ClosesAtOnce, "closes the connection"),
        (bad.ClosesForNow, "puts off the connection (421 4.3.2)"),
        (bad.ClosesForNowAtTheGreeting, "puts off the greeting (421 4.3.2)"),
        (bad.GreetsTwice, "answers without having been asked"),
    ],
)
def test_a_relay_that_nobody_can_talk_to_costs_nothing_but_time(
    against: Against, said: pytest.LogCaptureFixture, kind: type[bad.CorrectRelay], cause: str
) -> None:
    server, mailing = against(kind), launched(READERS)
    counts = turn(mailing)
    assert mailing.status == MailingStatus.SENDING
    assert counts.still_to_send == READERS
    assert f"{server.relay()} failed or was lost ({cause})" in said.text
    assert failover.get_state(server.relay()).cause == cause, "the admin shows it"
    assert no_address_in(said.text)
    against(bad.CorrectRelay)
    assert turn(mailing, minutes=1).sent == READERS


@pytest.mark.parametrize(
    "kind",
    [bad.SaysNothing, bad.DripsItsGreeting, bad.DripsLinesOfItsGreeting, bad.DripsWhatItOffers],
)
def test_a_relay_that_drips_holds_nobody_longer_than_its_time(
    against: Against,
    settings: Settings,
    said: pytest.LogCaptureFixture,
    kind: type[bad.CorrectRelay],
) -> None:
    server, mailing = against(kind), launched(READERS)
    settings.RELAY_TIMEOUT = 0.4
    counts = turn(mailing)
    assert (mailing.status, counts.still_to_send) == (MailingStatus.SENDING, READERS)
    assert "does not answer within 0.4 s" in said.text
    if kind is not bad.SaysNothing:
        # It would have gone on for longer than a test may.
        assert server.client_left.wait(5)


def test_a_relay_that_refuses_the_connection_pauses_the_mailing(against: Against) -> None:
    server, mailing = against(bad.RefusesAtTheDoor), launched(READERS)
    assert turn(mailing).still_to_send == READERS
    assert mailing.status == MailingStatus.PAUSED
    assert mailing.pause_reason == f"{server.relay()}: refuses the connection (554 5.7.1)"
    assert Subscriber.objects.active().count() == READERS


@pytest.mark.parametrize("kind", [bad.RefusesTheLogIn, bad.RefusesTheLogInAndHangsUp])
def test_a_relay_that_refuses_the_log_in_pauses_the_mailing(
    against: Against, kind: type[bad.CorrectRelay]
) -> None:
    server, mailing = against(kind, log_in="newsroom:secret@"), launched(READERS)
    assert turn(mailing).still_to_send == READERS
    assert mailing.status == MailingStatus.PAUSED
    assert mailing.pause_reason == f"{server.relay()}: refuses the log-in (535 5.7.8)"


@pytest.mark.parametrize("kind", [bad.CorrectRelay, bad.LogsInStrangely])
def test_a_relay_that_offers_no_log_in_gets_no_letter_without(
    against: Against, kind: type[bad.CorrectRelay]
) -> None:
    server, mailing = against(kind, log_in="newsroom:secret@"), launched(READERS)
    turn(mailing)
    assert mailing.status == MailingStatus.PAUSED
    assert mailing.pause_reason.endswith("offers no way to log in that is known here")
    assert set(server.commands) == {"EHLO"}


def test_a_password_that_no_relay_can_be_told_is_named_without_it(against: Against) -> None:
    against(bad.RefusesTheLogIn, log_in="newsroom:s%C3%A9cret@")
    mailing = launched(1)
    turn(mailing)
    assert mailing.pause_reason.endswith("user and password of RELAY_URL must be ASCII")


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.PutsTheLogInOff, "puts off the log-in (454 4.7.0)"),
        (bad.ChallengesWithGarbage, "answers something that is not SMTP"),
    ],
)
def test_a_log_in_that_may_succeed_later_is_tried_later(
    against: Against, said: pytest.LogCaptureFixture, kind: type[bad.CorrectRelay], cause: str
) -> None:
    against(kind, log_in="newsroom:secret@")
    mailing = launched(READERS)
    assert turn(mailing).still_to_send == READERS
    assert mailing.status == MailingStatus.SENDING
    assert cause in said.text
    assert "secret" not in said.text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(111, "x"), "cannot be reached: connection refused"),
        (OSError(113, "x"), "cannot be reached: no route to host"),
        (TimeoutError(), "does not answer within 5 s"),
    ],
)
def test_a_relay_that_cannot_be_reached_is_named_with_the_cause(
    against: Against, said: pytest.LogCaptureFixture, error: OSError, cause: str
) -> None:
    against(bad.CorrectRelay)
    mailing = launched(READERS)
    with mock.patch("socket.create_connection", side_effect=error):
        assert turn(mailing).still_to_send == READERS
    assert cause in said.text


def test_a_port_that_nobody_listens_on_is_named(
    settings: Settings, said: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    settings.RELAYS = (Relay.parse(f"smtp://127.0.0.1:{port}"),)
    assert turn(launched(1)).still_to_send == 1
    assert "cannot be reached: connection refused" in said.text


@pytest.mark.parametrize("host", ["relay.invalid", "a..b", f"{'a' * 70}.example"])
def test_a_relay_whose_name_nobody_knows_is_named(
    settings: Settings, said: pytest.LogCaptureFixture, host: str
) -> None:
    settings.RELAYS = (Relay.parse(f"smtp://{host}:25"),)
    assert turn(launched(1)).still_to_send == 1
    assert "its name cannot be resolved" in said.text


def test_of_a_relays_addresses_one_that_is_dead_does_not_keep_the_others_from_being_tried(
    against: Against, settings: Settings
) -> None:
    server, mailing = against(bad.CorrectRelay), launched(READERS)
    port = server.relay().port
    real = socket.create_connection
    waits: list[float] = []

    def dead_at_first(address: tuple[str, int], timeout: float) -> socket.socket:
        waits.append(timeout)
        if address[0] == "192.0.2.1":
            raise TimeoutError
        return real(address, timeout)

    found = [(socket.AF_INET, 1, 6, "", (ip, port)) for ip in ("192.0.2.1", "127.0.0.1")]
    settings.CONNECTIONS = 1
    with (
        mock.patch("socket.getaddrinfo", return_value=found),
        mock.patch("socket.create_connection", dead_at_first),
    ):
        assert turn(mailing).sent == READERS
    dead, alive = waits
    assert dead <= settings.RELAY_TIMEOUT / 2, "it has its share of the time"
    assert alive > dead


# --- While letters go ----------------------------------------------------------------


def nobody_has_two(server: bad.BadRelay) -> bool:
    return len(server.accepted) == len(set(server.accepted))


def test_a_relay_that_says_a_line_now_and_then_gets_all_letters(
    against: Against, settings: Settings
) -> None:
    server, mailing = against(bad.SlowSpeaker), launched(READERS)
    settings.RELAY_TIMEOUT = 1
    counts = turns(mailing)
    assert (counts.sent, mailing.status) == (READERS, MailingStatus.SENT)
    assert nobody_has_two(server)


def test_a_relay_that_does_not_stop_saying_good_bye_is_left(
    against: Against, settings: Settings
) -> None:
    server, mailing = against(bad.DripsItsGoodBye), launched(READERS)
    settings.RELAY_TIMEOUT = 0.4
    assert turn(mailing).sent == READERS
    assert server.client_left.wait(5)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.DripsItsAnswers, "does not answer within 0.4 s"),
        (bad.NeverEndsItsAnswers, "gives an answer that does not end"),
        (bad.TalksGarbageLater, "answers something that is not SMTP"),
        (bad.AnswersOutOfStep, "answers out of step (354)"),
    ],
)
def test_a_relay_that_loses_its_head_before_the_dot_leaves_nobody_uncertain(
    against: Against,
    settings: Settings,
    said: pytest.LogCaptureFixture,
    kind: type[bad.CorrectRelay],
    cause: str,
) -> None:
    server, mailing = against(kind), launched(READERS)
    settings.RELAY_TIMEOUT = 0.4
    counts = turn(mailing)
    assert (counts.uncertain, counts.still_to_send) == (0, READERS)
    assert cause in said.text
    assert no_address_in(said.text)
    assert server.received == []
    against(bad.CorrectRelay)
    assert turn(mailing, minutes=1).sent == READERS


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.FallsSilentAfterTheDot, "does not answer within 0.4 s"),
        (bad.TalksGarbageAfterTheDot, "answers something that is not SMTP"),
        (bad.AnswersTheDotOutOfStep, "answers out of step (354)"),
    ],
)
def test_a_relay_that_loses_its_head_after_the_dot_leaves_that_one_reader_uncertain(
    against: Against,
    settings: Settings,
    said: pytest.LogCaptureFixture,
    kind: type[bad.CorrectRelay],
    cause: str,
) -> None:
    server, mailing, settings.CONNECTIONS = against(kind), launched(READERS), 1
    settings.RELAY_TIMEOUT = 0.4
    whose = addresses()
    counts = turns(mailing)
    assert (counts.uncertain, counts.sent) == (1, READERS - 1)
    [uncertain] = Delivery.objects.uncertain()
    assert uncertain.subscriber_id == whose[server.received[1]]
    assert cause in said.text
    assert no_address_in(said.text)


@pytest.mark.parametrize("at", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_421_in_the_middle_loses_and_doubles_nobody(
    against: Against,
    settings: Settings,
    said: pytest.LogCaptureFixture,
    at: str,
    connections: int,
) -> None:
    kind = type("Closes", (bad.ClosesInTheMiddle,), {"at": at})
    server, mailing = against(kind), launched(6)
    settings.CONNECTIONS = connections
    counts = turns(mailing)
    assert (counts.sent, counts.uncertain) == (6, 0)
    assert nobody_has_two(server)
    assert "closes the connection (421 4.3.2)" in said.text


def test_every_tenth_connection_may_break(against: Against, settings: Settings) -> None:
    server, mailing, settings.CONNECTIONS = against(bad.DropsEveryTenthConnection), launched(40), 2
    counts = turns(mailing)
    assert (counts.sent, counts.uncertain) == (40, 0)
    assert len(server.accepted) == 40
    assert nobody_has_two(server)


def test_every_tenth_letter_may_break_off_before_its_text(
    against: Against, settings: Settings
) -> None:
    server, mailing = against(bad.DropsEveryTenthBeforeItsText), launched(40)
    settings.CONNECTIONS = 2
    counts = turns(mailing)
    assert (counts.sent, counts.uncertain) == (40, 0)
    assert nobody_has_two(server)


@pytest.mark.parametrize("kind", [bad.DropsEveryTenthAfterTheDot, bad.TakesEveryTenthAndDropsIt])
def test_every_tenth_letter_may_break_off_after_its_dot_and_its_reader_is_named(
    against: Against, settings: Settings, kind: type[bad.CorrectRelay]
) -> None:
    server, mailing, settings.CONNECTIONS = against(kind), launched(40), 2
    whose = addresses()
    counts = turns(mailing)
    assert (counts.sent, counts.uncertain) == (36, 4)
    assert len(server.received) == len(set(server.received)) == 40, "none was sent again"
    uncertain = set(Delivery.objects.uncertain().values_list("subscriber_id", flat=True))
    assert uncertain == {whose[address] for address in server.received[9::10]}


# --- Pipelining, broken ---------------------------------------------------------------


def test_a_relay_that_forgets_what_came_along_is_asked_in_turn_from_then_on(
    against: Against, settings: Settings
) -> None:
    server, mailing = against(bad.ForgetsWhatCameAlong), launched(READERS)
    settings.RELAY_TIMEOUT = 0.4
    counts = turn(mailing)
    assert (counts.uncertain, counts.still_to_send) == (0, READERS)
    counts = turn(mailing, minutes=1)
    assert (counts.uncertain, counts.sent) == (0, READERS)
    assert nobody_has_two(server)


@pytest.mark.parametrize("offers", [("PIPELINING", "8BITMIME"), ("8BITMIME",)])
@pytest.mark.parametrize("kind", [bad.AnswersTwice, bad.AnswersTwiceInPieces])
def test_a_relay_that_answers_too_often_gets_no_letter(
    against: Against,
    said: pytest.LogCaptureFixture,
    kind: type[bad.CorrectRelay],
    offers: tuple[str, ...],
) -> None:
    server, mailing = against(type("Twice", (kind,), {"offers": offers})), launched(READERS)
    counts = turn(mailing)
    assert (counts.uncertain, counts.sent, counts.still_to_send) == (0, 0, READERS)
    assert "answers out of step (250" in said.text
    assert server.received == []


def test_a_relay_that_takes_a_letter_before_it_came_has_not_taken_it(
    against: Against, said: pytest.LogCaptureFixture
) -> None:
    against(bad.TakesBeforeItCame)
    mailing = launched(READERS)
    counts = turn(mailing)
    assert (counts.uncertain, counts.sent, counts.still_to_send) == (0, 0, READERS)
    assert "answers out of step (250 2.0.0)" in said.text


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (bad.TakesHalf, "answers out of step (250 2.0.0)"),
        (bad.DropsInTheText, "closes the connection"),
    ],
)
def test_a_letter_whose_dot_has_not_left_is_not_taken_whatever_the_relay_says(
    against: Against, kind: type[bad.CorrectRelay], cause: str
) -> None:
    connection = Connection(against(kind).relay(), 5)
    connection.send_envelope(Envelope("b@newsroom.example", "reader@example.org"))
    while not any(isinstance(event, ReadyForData) for event in list(next_events(connection))):
        pass  # Each of its three answers may come by itself.
    with pytest.raises(ConnectionLost) as lost:
        put_more_than_the_system_holds(connection)
    assert str(lost.value) == cause
    assert not lost.value.dot_sent, "nobody is uncertain"


def put_more_than_the_system_holds(connection: Connection) -> None:
    connection.send_data(b"Subject: A letter\r\n\r\n" + b"Text.\r\n" * 4_000_000)
    list(next_events(connection))


# --- Subscribers and editions that go ------------------------------------------------------


def test_who_leaves_between_claim_and_sending_gets_nothing_and_the_others_all(
    against: Against,
) -> None:
    server, mailing = against(bad.CorrectRelay), launched(READERS)
    whose, real = addresses(), ledger.claim

    def claim_and_one_leaves(*about: Any) -> Any:
        claimed = real(*about)
        if claimed.letters:
            leaves(claimed.letters[0].subscriber)
        return claimed

    with mock.patch.object(ledger, "claim", claim_and_one_leaves):
        counts = turn(mailing)
    assert (counts.sent, counts.excluded, counts.uncertain) == (READERS - 1, 1, 0)
    assert mailing.status == MailingStatus.SENT
    [excluded] = Delivery.objects.filter(status=DeliveryStatus.EXCLUDED)
    assert excluded.subscriber_id not in {whose[address] for address in server.received}


@pytest.mark.parametrize("connections", [1, 3])
def test_who_leaves_when_the_relay_knows_their_envelope_gets_nothing_and_the_others_all(
    against: Against, settings: Settings, connections: int
) -> None:
    server, mailing, settings.CONNECTIONS = against(bad.CorrectRelay), launched(6), connections
    whose, real, left = addresses(), batch.commit, []

    def one_leaves_and_commit(lane: Any, settled: Any, ids: list[int], *more: Any) -> Any:
        if ids and not left:
            left.append(Delivery.objects.get(pk=ids[-1]).subscriber_id)
            leaves(left[0])
        return real(lane, settled, ids, *more)

    with mock.patch.object(batch, "commit", one_leaves_and_commit):
        counts = turn(mailing)
    assert (counts.sent, counts.excluded, counts.uncertain) == (5, 1, 0)
    assert left[0] not in {whose[address] for address in server.received}
    assert nobody_has_two(server)


def leaves(subscriber: int | None) -> None:
    Subscriber.objects.get(pk=subscriber).end("left", MONDAY_MORNING)
