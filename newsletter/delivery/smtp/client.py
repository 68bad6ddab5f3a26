"""One connection to a relay, and the transactions that hand letters over.

The standard library connects, greets, encrypts and logs in; only the transaction is ours,
because what matters is on which side of the final dot something broke. It never waits: a lane
listens to all of its connections at once, and sends the next command to whichever has replied.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from newsletter.delivery.relays import error_messages
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply, classify
from newsletter.delivery.smtp.handshake import (
    MAX_REPLY_BYTES,
    RECEIVE_BYTES,
    CannotEnter,
    Client,
    Misbehaves,
    enter,
    first_answer,
)

DOT = "."
ENVELOPE = frozenset({"MAIL", "RCPT", "DATA"})
AWAITS_TEXT, CLOSING = 354, 421
WOULD_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
QUIT_TIMEOUT_SECONDS = 2
"""Seconds that a relay has for answering QUIT."""
_cannot_pipeline: set[Relay] = set()
"""Relays that offer it and do not answer. Forgotten with the process: relays are mended."""


class ConnectionLost(Exception):
    """The relay cannot be reached, went away, fell silent or answers rubbish.

    `dot_sent`: a letter had left wholly and was not answered, so nobody knows whether it was taken.
    `cause`: what the relay does, in the words of newsletter/delivery/relays/error_messages.py.
    """

    def __init__(self, *, dot_sent: bool, cause: str) -> None:
        super().__init__(cause)
        self.dot_sent, self.cause = dot_sent, cause


class RelayRefuses(Exception):
    """The relay does not let us in, or not safely: a person must mend it.

    `reply`: its codes, where it is a relay's answer that says so.
    """

    def __init__(self, reply: Reply | None, cause: str = "") -> None:
        super().__init__(cause or str(reply))
        self.reply = reply


class Envelope(NamedTuple):
    """From and for whom a letter is."""

    return_path: str
    recipient: str


class ReadyForData:
    """354: the relay takes the envelope and awaits the text."""


class RecipientRejected(NamedTuple):
    """The relay refuses an envelope, for its recipient or another command of it."""

    outcome: Outcome
    reply: Reply


class DataAnswered(NamedTuple):
    """The reply to the final dot: the letter has left wholly."""

    outcome: Outcome
    reply: Reply


Event = ReadyForData | RecipientRejected | DataAnswered


class Connection:
    """One SMTP connection. `timeout` is seconds for each answer, and for each letter to leave."""

    tells_where_it_broke = True

    def __init__(self, relay: Relay, timeout: float) -> None:
        """Connects and logs in. Raises ConnectionLost or RelayRefuses."""
        self._relay, self._timeout = relay, timeout
        self._smtp = _connect(relay, timeout)
        self.eight_bit = self._smtp.has_extn("8bitmime")
        self.pipelines = self._smtp.has_extn("pipelining") and relay not in _cannot_pipeline
        self._socket: socket.socket = self._smtp.sock  # type: ignore[assignment]
        self._socket.setblocking(False)
        self._is_encrypted = isinstance(self._socket, ssl.SSLSocket)
        self._received = b""
        self._to_send: deque[tuple[str, bytes]] = deque()
        self._outgoing = b""
        self._dot_leaves_at: int | None = None
        """So many bytes of `_outgoing` are left once its dot is gone; None where it has none."""
        self._awaited: deque[str] = deque()
        self._refusal: RecipientRejected | None = None
        self._awaits_text = False
        self.deadline = time.monotonic() + timeout
        """By the monotonic clock: until when the relay has to answer what it was told."""

    # --- What a lane's selector asks -------------------------------------------------

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def has_more_to_say(self) -> bool:
        """The system had no room for all: the selector should tell when it has."""
        return bool(self._outgoing)

    @property
    def dot_sent(self) -> bool:
        """A letter has left wholly, and its answer is awaited."""
        if DOT not in self._awaited:
            return False
        return self._dot_leaves_at is None or len(self._outgoing) <= self._dot_leaves_at

    def close(self) -> None:
        """QUIT, where that is possible; a text that has begun is broken off."""
        try:
            if not (self._awaited or self._outgoing or self._awaits_text):
                self._smtp.deadline = time.monotonic() + min(self._timeout, QUIT_TIMEOUT_SECONDS)
                self._socket.settimeout(QUIT_TIMEOUT_SECONDS)
                self._smtp.quit()
        except (OSError, ValueError):
            pass
        finally:
            self._smtp.close()

    # --- Sending ---------------------------------------------------------------------

    def address(self, envelope: Envelope) -> None:
        """Sends the next letter's envelope. Raises ConnectionLost."""
        self._queue(envelope)
        self.send()

    def put(self, letter: bytes, then: Envelope | None = None) -> None:
        """Sends a letter with its final dot, after ReadyForData: lines with CRLF, dots doubled.

        The next letter's envelope goes in the same packet where the relay pipelines, and else
        after the answer. Raises ConnectionLost.
        """
        self._awaits_text = False
        end = b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"
        self._to_send.append((DOT, letter + end))
        if then is not None:
            self._queue(then)
        self.send()

    def _queue(self, envelope: Envelope) -> None:
        option = " BODY=8BITMIME" if self.eight_bit else ""
        self._to_send += [
            ("MAIL", f"MAIL FROM:<{envelope.return_path}>{option}\r\n".encode()),
            ("RCPT", f"RCPT TO:<{envelope.recipient}>\r\n".encode()),
            ("DATA", b"DATA\r\n"),
        ]

    def send(self) -> None:
        """Sends what may leave now and the system has room for. Raises ConnectionLost."""
        try:
            while self._outgoing or self._fill_outgoing():
                sent = self._socket.send(self._outgoing)
                self._outgoing = self._outgoing[sent:]
        except WOULD_WAIT:
            return
        except (OSError, ValueError) as error:
            raise self._lost(error_messages.of(error, self._timeout)) from None

    def _fill_outgoing(self) -> bool:
        """What may leave now: everything (RFC 2920), or one command after each reply."""
        texts: list[bytes] = []
        self._dot_leaves_at = None
        while self._to_send and (self.pipelines or not self._awaited):
            what, text = self._to_send.popleft()
            self._awaited.append(what)
            texts.append(text)
            if what == DOT:
                self._dot_leaves_at = sum(len(later) for _what, later in self._to_send)
        if not texts:
            return False
        if self._dot_leaves_at is not None and not self.pipelines:
            self._dot_leaves_at = 0
        self._outgoing = b"".join(texts)
        self.deadline = time.monotonic() + self._timeout
        return True

    # --- Receiving -------------------------------------------------------------------

    def receive(self) -> Iterator[Event]:
        """What the relay has answered. Raises ConnectionLost after the last that still counts."""
        ended = self._read()
        while (reply := self._next_reply()) is not None:
            event = self._understand(reply)
            if event is not None:
                yield event
        if ended:
            raise self._lost(ended)
        self.send()

    def fall_silent(self) -> ConnectionLost:
        """What to raise once the deadline has passed."""
        if self.pipelines and self._awaited and self._awaited[0] != DOT:
            # It says that it can, and forgets what came with the first command.
            _cannot_pipeline.add(self._relay)
        return self._lost(error_messages.silent(self._timeout))

    def _read(self) -> str:
        """Takes what is there; returns what ended the connection, if anything has."""
        try:
            while True:
                piece = self._socket.recv(RECEIVE_BYTES)
                if not piece:
                    return error_messages.CLOSED
                self._received += piece
                # An encrypted one may hold more than its socket shows.
                if not self._is_encrypted or len(self._received) > MAX_REPLY_BYTES:
                    return ""
        except WOULD_WAIT:
            return ""
        except (OSError, ValueError) as error:
            return error_messages.of(error, self._timeout)

    def _next_reply(self) -> Reply | None:
        try:
            answer = first_answer(self._received)
        except Misbehaves as error:
            raise self._lost(str(error)) from None
        if answer is None:
            return None
        code, text, end = answer
        self._received = self._received[end:]
        return Reply.parse(code, text)

    def _understand(self, reply: Reply) -> Event | None:
        is_about_letter = self.dot_sent
        what = self._awaited.popleft() if self._awaited else ""
        is_early = what == DOT and reply.is_positive and not is_about_letter
        if is_early or not _fits(what, reply.code):
            # RFC 5321, 3.8: with 421 the relay is closing; whatever it says is of itself, not of
            # us. To the dot it is an answer all the same: the letter has not been taken.
            is_closing = reply.code == CLOSING
            lost = self._lost(
                error_messages.closing(reply) if is_closing else error_messages.out_of_step(reply)
            )
            lost.dot_sent = is_about_letter and not is_closing
            raise lost
        self.deadline = time.monotonic() + self._timeout
        if what == DOT:
            return DataAnswered(classify(reply, about_recipient=False), reply)
        if what in ENVELOPE:
            return self._understand_envelope(what, reply)
        return None

    def _understand_envelope(self, what: str, reply: Reply) -> Event | None:
        outcome = classify(reply, about_recipient=what == "RCPT")
        if self._refusal is None and outcome is not Outcome.SENT:
            self._refusal = RecipientRejected(outcome, reply)
            if not self.pipelines:
                self._to_send.clear()
                what = "DATA"
        if what != "DATA":
            return None
        refusal, self._refusal = self._refusal, None
        if refusal is None:
            self._awaits_text = True
            return ReadyForData()
        # RFC 2920, 3.1: no recipient, and still it awaits a text; an empty one goes nowhere.
        empty = reply.code == AWAITS_TEXT
        self._to_send.append(("RSET", b".\r\n" if empty else b"RSET\r\n"))
        return refusal

    def _lost(self, cause: str) -> ConnectionLost:
        lost = ConnectionLost(dot_sent=self.dot_sent, cause=cause)
        self._smtp.close()
        return lost


def _fits(what: str, code: int) -> bool:
    """Whether a command can be answered like this (RFC 5321, 4.3.2)."""
    if code == CLOSING or not what:
        return False
    if 200 <= code < 400:
        return (code == AWAITS_TEXT) if what == "DATA" else code < 300
    return 400 <= code < 600


def _connect(relay: Relay, timeout: float) -> Client:
    try:
        return enter(relay, timeout)
    except smtplib.SMTPResponseException as error:
        reply = error_messages.reply_of(error)
        cause = error_messages.turned_away(error, reply)
        if classify(reply, about_recipient=False) is Outcome.REFUSED and 500 <= reply.code < 600:
            raise RelayRefuses(reply, cause) from None
        raise ConnectionLost(dot_sent=False, cause=cause) from None
    except CannotEnter as error:
        raise RelayRefuses(None, str(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise RelayRefuses(None, error_messages.of(error, timeout)) from None
    except Misbehaves as error:
        raise ConnectionLost(dot_sent=False, cause=str(error)) from None
    except OSError as error:
        raise ConnectionLost(dot_sent=False, cause=error_messages.of(error, timeout)) from None
