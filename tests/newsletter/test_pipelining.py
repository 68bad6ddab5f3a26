"""One letter over one connection: commands in one packet where the relay offers it (RFC 2920)."""

from __future__ import annotations

import selectors
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from newsletter.sending import smtp
from newsletter.sending.outcomes import Outcome
from newsletter.sending.smtp import (
    Connection,
    ConnectionLost,
    Envelope,
    Event,
    MayLeave,
    NotTaken,
)
from newsroom.relays import Relay

LETTER = b"Subject: A letter\r\n\r\nText.\r\n"
READER = "reader@example.org"


class Scripted(socketserver.ThreadingTCPServer):
    """A relay that answers by a table, and notes in what pieces it was spoken to."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, *, offers: bool = True, flushes: bool = False, **replies: str) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.offers, self.flushes = offers, flushes
        self.replies = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "TEXT": "250 kept"}
        self.replies |= replies
        self.packets: list[bytes] = []
        self.texts: list[bytes] = []

    @property
    def relay(self) -> Relay:
        return Relay.parse(f"smtp://127.0.0.1:{self.server_address[1]}")


class _Session(socketserver.BaseRequestHandler):
    server: Scripted

    def handle(self) -> None:
        self.waiting = b""
        self.request.sendall(b"220 scripted\r\n")
        while (line := self.line()) is not None:
            verb = line[:4].upper().decode("ascii", "replace")
            if verb == "EHLO":
                offered = b"250-PIPELINING\r\n" if self.server.offers else b""
                self.request.sendall(b"250-scripted\r\n" + offered + b"250 8BITMIME\r\n")
            elif verb == "QUIT":
                self.request.sendall(b"221 bye\r\n")
                return
            elif verb == "RSET":
                self.request.sendall(b"250 ok\r\n")
            else:
                self.answer(verb)
            if self.server.flushes:
                # What came with the first command is thrown away, as old firewalls did.
                self.waiting = b""

    def answer(self, verb: str) -> None:
        reply = self.server.replies.get(verb, "500 what")
        self.request.sendall(reply.encode() + b"\r\n")
        if reply.startswith("354"):
            text = b""
            while (line := self.line()) is not None and line != b".":
                text += line + b"\r\n"
            self.server.texts.append(text)
            self.request.sendall(self.server.replies["TEXT"].encode() + b"\r\n")

    def line(self) -> bytes | None:
        while b"\r\n" not in self.waiting:
            packet = self.request.recv(65536)
            if not packet:
                return None
            self.server.packets.append(packet)
            self.waiting += packet
        line, _, self.waiting = self.waiting.partition(b"\r\n")
        return line


@contextmanager
def running(server: Scripted) -> Iterator[Scripted]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def nothing_known_of_relays() -> None:
    smtp._cannot_pipeline.clear()


def send(server: Scripted, times: int = 1, timeout: float = 5) -> list[tuple[Outcome, int]]:
    """Letters one after the other over one connection, each with the next one's envelope."""
    envelope = Envelope("b@newsroom.example", READER)
    connection = Connection(server.relay, timeout)
    connection.address(envelope)
    begun, answers = 1, []
    try:
        while len(answers) < times:
            for event in next_events(connection):
                then = envelope if begun < times else None
                if isinstance(event, MayLeave):
                    connection.put(LETTER, then)
                    begun += then is not None
                    continue
                answers.append((event.outcome, event.reply.code))
                if isinstance(event, NotTaken) and then is not None:
                    connection.address(then)
                    begun += 1
    finally:
        connection.close()
    return answers


def next_events(connection: Connection) -> Iterator[Event]:
    """As a lane listens."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        if not selector.select(connection.deadline - time.monotonic()):
            raise connection.fall_silent()
    yield from connection.hear()


def envelopes(server: Scripted) -> list[bytes]:
    return [packet for packet in server.packets if packet.startswith(b"MAIL")]


def test_the_envelope_goes_in_one_packet_where_the_relay_offers_it() -> None:
    with running(Scripted()) as server:
        assert send(server, 2) == [(Outcome.SENT, 250)] * 2
    assert len(server.texts) == 2
    assert all(packet.count(b"\r\n") == 3 for packet in envelopes(server))


def test_a_relay_that_does_not_offer_it_is_asked_command_by_command() -> None:
    with running(Scripted(offers=False)) as server:
        assert send(server) == [(Outcome.SENT, 250)]
    assert envelopes(server)[0].count(b"\r\n") == 1


@pytest.mark.parametrize("offers", [True, False])
def test_a_refused_recipient_gets_nothing_and_the_next_letter_goes(*, offers: bool) -> None:
    with running(Scripted(offers=offers, RCPT="550 5.1.1 no", DATA="503 no recipient")) as server:
        assert send(server, 2) == [(Outcome.GONE, 550)] * 2
    assert server.texts == []


def test_a_relay_that_awaits_a_text_without_a_recipient_gets_an_empty_one() -> None:
    with running(Scripted(RCPT="550 5.1.1 no", TEXT="554 no recipient")) as server:
        assert send(server, 2) == [(Outcome.GONE, 550)] * 2
    assert server.texts == [b"", b""], "nobody's letter goes to nobody"


def test_the_first_refusal_is_the_one_that_counts() -> None:
    refusing = Scripted(MAIL="550 5.7.1 not you", RCPT="503 mail first", DATA="503 mail first")
    with running(refusing) as server:
        assert send(server) == [(Outcome.REFUSED, 550)]


def test_a_relay_that_offers_it_and_breaks_it_is_asked_in_turn_from_then_on() -> None:
    with running(Scripted(flushes=True)) as server:
        with pytest.raises(ConnectionLost) as lost:
            send(server, timeout=0.3)
        assert not lost.value.dot_sent, "nobody is uncertain"
        assert send(server) == [(Outcome.SENT, 250)]
    assert len(server.texts) == 1


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("broken", ["MAIL", "RCPT", "DATA"])
def test_a_421_before_the_text_leaves_nobody_uncertain(broken: str, *, offers: bool) -> None:
    with (
        running(Scripted(offers=offers, **{broken: "421 4.3.2 closing"})) as server,
        pytest.raises(ConnectionLost) as lost,
    ):
        send(server)
    assert not lost.value.dot_sent
    assert server.texts == [] or broken != "DATA"


def test_an_answer_that_is_none_after_the_dot_leaves_one_uncertain() -> None:
    with (
        running(Scripted(TEXT="rubbish")) as server,
        pytest.raises(ConnectionLost) as lost,
    ):
        send(server, timeout=1)
    assert lost.value.dot_sent
