"""A non-blocking SMTP connection (RFC 5321): MAIL, RCPT, DATA and the text of each letter.

smtplib connects and authenticates (handshake.py). The mail transaction is implemented here, since
it matters whether a connection broke before or after the final dot. Nothing blocks: a lane selects
on all of its connections at once.
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
    AuthenticationFailed,
    ProtocolError,
    SmtpClient,
    open_session,
    parse_reply,
)

DOT = "."
ENVELOPE_COMMANDS = frozenset({"MAIL", "RCPT", "DATA"})
START_MAIL_INPUT, SERVICE_CLOSING = 354, 421
WOULD_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
QUIT_TIMEOUT_SECONDS = 2
"""For the reply to QUIT."""
_cannot_pipeline: set[Relay] = set()
"""Relays that offer PIPELINING and do not reply to it. Until the process ends: relays get fixed."""


class ConnectionLost(Exception):
    """The relay cannot be reached, closed the connection, timed out or broke the protocol.

    `dot_sent`: a letter was sent with its final dot and without a reply, so it is uncertain.
    `cause`: a message of newsletter/delivery/relays/error_messages.py.
    """

    def __init__(self, *, dot_sent: bool, cause: str) -> None:
        super().__init__(cause)
        self.dot_sent, self.cause = dot_sent, cause


class RelayRefuses(Exception):
    """The relay refuses the session, or offers no secure one: a person has to fix it.

    `reply`: the relay's reply, if there was one.
    """

    def __init__(self, reply: Reply | None, cause: str = "") -> None:
        super().__init__(cause or str(reply))
        self.reply = reply


class Envelope(NamedTuple):
    """The return path and the recipient (RFC 5321, 2.3.1)."""

    return_path: str
    recipient: str


class ReadyForData:
    """354: the relay accepts the envelope and expects the text."""


class RecipientRejected(NamedTuple):
    """The relay rejects the envelope: RCPT, or MAIL or DATA."""

    outcome: Outcome
    reply: Reply


class DataAnswered(NamedTuple):
    """The reply to the final dot."""

    outcome: Outcome
    reply: Reply


Event = ReadyForData | RecipientRejected | DataAnswered


class Connection:
    """One SMTP connection. `timeout`: seconds for each reply, and for sending each letter."""

    reports_dot = True

    def __init__(self, relay: Relay, timeout: float) -> None:
        """Connects and authenticates. Raises ConnectionLost or RelayRefuses."""
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
        """The dot has been sent when so many bytes of `_outgoing` are left; None without a dot."""
        self._awaited: deque[str] = deque()
        self._refusal: RecipientRejected | None = None
        self._expects_text = False
        self.deadline = time.monotonic() + timeout
        """By the monotonic clock: when the relay must have replied."""

    # --- For a lane's selector -------------------------------------------------------

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def has_unsent_data(self) -> bool:
        """The socket's buffer was full: select for writing too."""
        return bool(self._outgoing)

    @property
    def dot_sent(self) -> bool:
        """A letter was sent with its final dot, and has no reply yet."""
        if DOT not in self._awaited:
            return False
        return self._dot_leaves_at is None or len(self._outgoing) <= self._dot_leaves_at

    def close(self) -> None:
        """Sends QUIT if no command is pending; a text that has begun is aborted."""
        try:
            if not (self._awaited or self._outgoing or self._expects_text):
                self._smtp.deadline = time.monotonic() + min(self._timeout, QUIT_TIMEOUT_SECONDS)
                self._socket.settimeout(QUIT_TIMEOUT_SECONDS)
                self._smtp.quit()
        except (OSError, ValueError):
            pass
        finally:
            self._smtp.close()

    # --- Sending ---------------------------------------------------------------------

    def send_envelope(self, envelope: Envelope) -> None:
        """Sends the next letter's envelope. Raises ConnectionLost."""
        self._queue(envelope)
        self.send()

    def send_data(self, letter: bytes, next_envelope: Envelope | None = None) -> None:
        """Sends a letter and the final dot, after ReadyForData: CRLF lines, dots doubled.

        With PIPELINING the next envelope goes in the same packet, else after the reply. Raises
        ConnectionLost.
        """
        self._expects_text = False
        end = b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"
        self._to_send.append((DOT, letter + end))
        if next_envelope is not None:
            self._queue(next_envelope)
        self.send()

    def _queue(self, envelope: Envelope) -> None:
        option = " BODY=8BITMIME" if self.eight_bit else ""
        self._to_send += [
            ("MAIL", f"MAIL FROM:<{envelope.return_path}>{option}\r\n".encode()),
            ("RCPT", f"RCPT TO:<{envelope.recipient}>\r\n".encode()),
            ("DATA", b"DATA\r\n"),
        ]

    def send(self) -> None:
        """Sends what may leave now and fits into the socket's buffer. Raises ConnectionLost."""
        try:
            while self._outgoing or self._fill_outgoing():
                sent = self._socket.send(self._outgoing)
                self._outgoing = self._outgoing[sent:]
        except WOULD_WAIT:
            return
        except (OSError, ValueError) as error:
            raise self._lost(error_messages.describe(error, self._timeout)) from None

    def _fill_outgoing(self) -> bool:
        """Takes what may leave now: everything (RFC 2920), or one command per reply."""
        texts: list[bytes] = []
        self._dot_leaves_at = None
        while self._to_send and (self.pipelines or not self._awaited):
            command, text = self._to_send.popleft()
            self._awaited.append(command)
            texts.append(text)
            if command == DOT:
                self._dot_leaves_at = sum(len(later) for _command, later in self._to_send)
        if not texts:
            return False
        if self._dot_leaves_at is not None and not self.pipelines:
            self._dot_leaves_at = 0
        self._outgoing = b"".join(texts)
        self.deadline = time.monotonic() + self._timeout
        return True

    # --- Receiving -------------------------------------------------------------------

    def receive(self) -> Iterator[Event]:
        """Events from the relay's replies. Raises ConnectionLost after the last valid one."""
        ended = self._read()
        while (reply := self._next_reply()) is not None:
            event = self._event_of(reply)
            if event is not None:
                yield event
        if ended:
            raise self._lost(ended)
        self.send()

    def timeout_error(self) -> ConnectionLost:
        """The exception to raise once the deadline has passed."""
        if self.pipelines and self._awaited and self._awaited[0] != DOT:
            # It offers PIPELINING, but drops what follows the first command.
            _cannot_pipeline.add(self._relay)
        return self._lost(error_messages.no_reply_within(self._timeout))

    def _read(self) -> str:
        """Reads what has arrived; returns why the connection ended, "" if it did not."""
        try:
            while True:
                piece = self._socket.recv(RECEIVE_BYTES)
                if not piece:
                    return error_messages.CONNECTION_CLOSED
                self._received += piece
                # Under TLS, decrypted bytes may be buffered that select does not show.
                if not self._is_encrypted or len(self._received) > MAX_REPLY_BYTES:
                    return ""
        except WOULD_WAIT:
            return ""
        except (OSError, ValueError) as error:
            return error_messages.describe(error, self._timeout)

    def _next_reply(self) -> Reply | None:
        try:
            parsed = parse_reply(self._received)
        except ProtocolError as error:
            raise self._lost(str(error)) from None
        if parsed is None:
            return None
        code, text, end = parsed
        self._received = self._received[end:]
        return Reply.parse(code, text)

    def _event_of(self, reply: Reply) -> Event | None:
        is_about_letter = self.dot_sent
        command = self._awaited.popleft() if self._awaited else ""
        is_early = command == DOT and reply.is_positive and not is_about_letter
        if is_early or not _is_valid_reply(command, reply.code):
            # RFC 5321, 3.8: 421 means that the relay is closing, not that it refuses the sender.
            # As a reply to the dot it means that the letter was not accepted.
            is_closing = reply.code == SERVICE_CLOSING
            lost = self._lost(
                error_messages.closing(reply)
                if is_closing
                else error_messages.unexpected_reply(reply)
            )
            lost.dot_sent = is_about_letter and not is_closing
            raise lost
        self.deadline = time.monotonic() + self._timeout
        if command == DOT:
            return DataAnswered(classify(reply, about_recipient=False), reply)
        if command in ENVELOPE_COMMANDS:
            return self._envelope_event(command, reply)
        return None

    def _envelope_event(self, command: str, reply: Reply) -> Event | None:
        outcome = classify(reply, about_recipient=command == "RCPT")
        if self._refusal is None and outcome is not Outcome.SENT:
            self._refusal = RecipientRejected(outcome, reply)
            if not self.pipelines:
                self._to_send.clear()
                command = "DATA"
        if command != "DATA":
            return None
        refusal, self._refusal = self._refusal, None
        if refusal is None:
            self._expects_text = True
            return ReadyForData()
        # RFC 2920, 3.1: a relay may reply 354 without a recipient; an empty text ends that.
        empty = reply.code == START_MAIL_INPUT
        self._to_send.append(("RSET", b".\r\n" if empty else b"RSET\r\n"))
        return refusal

    def _lost(self, cause: str) -> ConnectionLost:
        lost = ConnectionLost(dot_sent=self.dot_sent, cause=cause)
        self._smtp.close()
        return lost


def _is_valid_reply(command: str, code: int) -> bool:
    """Whether a command can have this reply (RFC 5321, 4.3.2)."""
    if code == SERVICE_CLOSING or not command:
        return False
    if 200 <= code < 400:
        return (code == START_MAIL_INPUT) if command == "DATA" else code < 300
    return 400 <= code < 600


def _connect(relay: Relay, timeout: float) -> SmtpClient:
    try:
        return open_session(relay, timeout)
    except smtplib.SMTPResponseException as error:
        reply = error_messages.reply_of(error)
        cause = error_messages.rejected_before_mail(error, reply)
        if classify(reply, about_recipient=False) is Outcome.REFUSED and 500 <= reply.code < 600:
            raise RelayRefuses(reply, cause) from None
        raise ConnectionLost(dot_sent=False, cause=cause) from None
    except AuthenticationFailed as error:
        raise RelayRefuses(None, str(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise RelayRefuses(None, error_messages.describe(error, timeout)) from None
    except ProtocolError as error:
        raise ConnectionLost(dot_sent=False, cause=str(error)) from None
    except OSError as error:
        raise ConnectionLost(
            dot_sent=False, cause=error_messages.describe(error, timeout)
        ) from None
