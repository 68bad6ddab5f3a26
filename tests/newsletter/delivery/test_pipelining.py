"""One letter over one connection: commands in one packet where the relay offers it (RFC 2920)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from newsletter.delivery.reply_classifier import Outcome
from newsletter.delivery.smtp import client
from newsletter.delivery.smtp.client import (
    Connection,
    ConnectionLost,
    Envelope,
    ReadyForData,
    RecipientRejected,
)
from tests.newsletter import bad_relays as bad
from tests.newsletter.delivery.lane_batches import next_events

LETTER = b"Subject: A letter\r\n\r\nText.\r\n"
READER = "reader@example.org"


REPLIES = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "TEXT": "250 kept"}


class Scripted(bad.CorrectRelay):
    """Answers by a table."""

    replies: Mapping[str, str]

    def on_mail(self, _sender: str) -> None:
        self.send_reply(self.replies["MAIL"])

    def on_rcpt(self, _to: str) -> None:
        self.send_reply(self.replies["RCPT"])

    def on_data(self, _nothing: str) -> None:
        self.send_reply(self.replies["DATA"])
        if self.replies["DATA"].startswith("354"):
            self.read_text()
            self.send_reply(self.replies["TEXT"])


class Flushing(bad.ForgetsWhatCameAlong, Scripted):
    """Throws away what came with the first command, as old firewalls did."""


def scripted(
    kind: type[Scripted] = Scripted, *, offers: bool = True, **replies: str
) -> bad.BadRelay:
    """A relay that offers PIPELINING or not, and says this instead of what is usual."""
    offered = ("PIPELINING", "8BITMIME") if offers else ("8BITMIME",)
    script = {"offers": offered, "replies": {**REPLIES, **replies}}
    return bad.BadRelay(type("OneScript", (kind,), script))


@pytest.fixture(autouse=True)
def nothing_known_of_relays() -> None:
    client._cannot_pipeline.clear()


def send(server: bad.BadRelay, times: int = 1, timeout: float = 5) -> list[tuple[Outcome, int]]:
    """Letters one after the other over one connection, each with the next one's envelope."""
    envelope = Envelope("b@newsroom.example", READER)
    connection = Connection(server.relay(), timeout)
    connection.send_envelope(envelope)
    begun, answers = 1, []
    try:
        while len(answers) < times:
            for event in next_events(connection):
                then = envelope if begun < times else None
                if isinstance(event, ReadyForData):
                    connection.send_data(LETTER, then)
                    begun += then is not None
                    continue
                answers.append((event.outcome, event.reply.code))
                if isinstance(event, RecipientRejected) and then is not None:
                    connection.send_envelope(then)
                    begun += 1
    finally:
        connection.close()
    return answers


def envelopes(server: bad.BadRelay) -> list[bytes]:
    return [packet for packet in server.packets if packet.startswith(b"MAIL")]


def test_the_envelope_goes_in_one_packet_where_the_relay_offers_it() -> None:
    with bad.running(scripted()) as server:
        assert send(server, 2) == [(Outcome.SENT, 250)] * 2
    assert len(server.texts) == 2
    assert all(packet.count(b"\r\n") == 3 for packet in envelopes(server))


def test_a_relay_that_does_not_offer_it_is_asked_command_by_command() -> None:
    with bad.running(scripted(offers=False)) as server:
        assert send(server) == [(Outcome.SENT, 250)]
    assert envelopes(server)[0].count(b"\r\n") == 1


@pytest.mark.parametrize("offers", [True, False])
def test_a_refused_recipient_gets_nothing_and_the_next_letter_goes(*, offers: bool) -> None:
    with bad.running(
        scripted(offers=offers, RCPT="550 5.1.1 no", DATA="503 no recipient")
    ) as server:
        assert send(server, 2) == [(Outcome.GONE, 550)] * 2
    assert server.texts == []


def test_a_relay_that_awaits_a_text_without_a_recipient_gets_an_empty_one() -> None:
    with bad.running(scripted(RCPT="550 5.1.1 no", TEXT="554 no recipient")) as server:
        assert send(server, 2) == [(Outcome.GONE, 550)] * 2
    assert server.texts == [b"", b""], "nobody's letter goes to nobody"


def test_the_first_refusal_is_the_one_that_counts() -> None:
    refusing = scripted(MAIL="550 5.7.1 not you", RCPT="503 mail first", DATA="503 mail first")
    with bad.running(refusing) as server:
        assert send(server) == [(Outcome.REFUSED, 550)]


def test_a_relay_that_offers_it_and_breaks_it_is_asked_in_turn_from_then_on() -> None:
    with bad.running(scripted(Flushing)) as server:
        with pytest.raises(ConnectionLost) as lost:
            send(server, timeout=0.3)
        assert not lost.value.dot_sent, "nobody is uncertain"
        assert send(server) == [(Outcome.SENT, 250)]
    assert len(server.texts) == 1


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("broken", ["MAIL", "RCPT", "DATA"])
def test_a_421_before_the_text_leaves_nobody_uncertain(broken: str, *, offers: bool) -> None:
    with (
        bad.running(scripted(offers=offers, **{broken: "421 4.3.2 closing"})) as server,
        pytest.raises(ConnectionLost) as lost,
    ):
        send(server)
    assert not lost.value.dot_sent
    assert server.texts == [] or broken != "DATA"


def test_an_answer_that_is_none_after_the_dot_leaves_one_uncertain() -> None:
    with (
        bad.running(scripted(TEXT="rubbish")) as server,
        pytest.raises(ConnectionLost) as lost,
    ):
        send(server, timeout=1)
    assert lost.value.dot_sent
