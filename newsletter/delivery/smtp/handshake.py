"""How a relay is reached, greeted, encrypted and logged in to, all of it within one deadline.

The standard library's client does the talking, but it waits anew for each piece that arrives: a
relay that drips would hold a lane for ever. And it takes what is no SMTP for a refusal. So here
the listening is ours.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from functools import lru_cache
from typing import Any

from django.conf import settings

from newsletter.delivery.relays import error_messages
from newsletter.delivery.relays.config import Relay

MAX_REPLY_BYTES = 64 * 1024
"""Of one reply, of all its lines; RFC 5321, 4.5.3.1.5 allows lines of 512."""
RECEIVE_BYTES = 64 * 1024
SEND_BUFFER_BYTES = 256 * 1024
"""Bytes that the system takes at once, so that a letter is one call."""
LOG_INS = frozenset({"CRAM-MD5", "PLAIN", "LOGIN"})
"""What smtplib can do."""


class Misbehaves(smtplib.SMTPException):
    """What a relay says is no answer; says why."""


class CannotEnter(smtplib.SMTPException):
    """The relay does not offer what we must have; says what."""


def first_answer(heard: bytes) -> tuple[int, bytes, int] | None:
    """The first of what was heard, of one or several lines (RFC 5321, 4.2.1).

    Its code, its last line's text, and where it ends; None while it is not whole. Every letter
    has four, so a plain tuple it is. Raises Misbehaves.
    """
    start = 0
    while (end := heard.find(b"\n", start)) >= 0:
        line = heard[start:end].rstrip(b"\r")
        code, mark = line[:3], line[3:4]
        if not code.isdigit() or mark not in (b" ", b"-", b""):
            raise Misbehaves(error_messages.NO_SMTP)
        if mark != b"-":
            return int(code), line[4:], end + 1
        start = end + 1
    if len(heard) > MAX_REPLY_BYTES:
        raise Misbehaves(error_messages.ENDLESS)
    return None


class Client(smtplib.SMTP):
    """smtplib's, which gives up at `deadline`, a time of the monotonic clock.

    Only the resolver has time limits of its own (resolv.conf).
    """

    def __init__(self, relay: Relay, timeout: float) -> None:
        """Connects, and awaits the greeting. Raises OSError, smtplib's exceptions among it."""
        self.deadline = time.monotonic() + timeout
        self.refusal: smtplib.SMTPAuthenticationError | None = None
        self._is_encrypted = relay.scheme == "smtps"
        # Without a name, smtplib asks the DNS for this machine's, and tells the relay.
        ours = settings.BOUNCE_DOMAIN
        try:
            super().__init__(relay.host, relay.port, ours, timeout=timeout)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """What smtplib's own SMTP_SSL overrides as well."""
        reached = self._reach(host, port)
        # The dot may follow the letter as a packet of its own; Nagle's algorithm would hold
        # it back until the relay's delayed acknowledgement, 40 ms a letter.
        reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reached.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        reached.settimeout(self._left())
        if self._is_encrypted:
            return certificates().wrap_socket(reached, server_hostname=host)
        return reached

    def _reach(self, host: str, port: int) -> socket.socket:
        """At any of its addresses: one that does not answer leaves time for the others."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "no name of a host") from None
        failure: OSError = socket.gaierror(socket.EAI_NODATA, "no address")
        for still, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
            try:
                return socket.create_connection((str(address[0]), port), self._left() / still)
            except OSError as error:
                failure = error
        raise failure

    def getreply(self) -> tuple[int, bytes]:
        """One answer, whole and in time, and nothing behind it. Raises OSError, Misbehaves.

        What follows unasked may be somebody's between us and the relay, who wants it to be taken
        for the encrypted answer to come.
        """
        heard = b""
        while (answer := first_answer(heard)) is None:
            piece = self._receive()
            if not piece:
                raise smtplib.SMTPServerDisconnected(error_messages.CLOSED)
            heard += piece
        code, _text, end = answer
        if end < len(heard):
            raise Misbehaves(error_messages.UNASKED)
        self._socket().settimeout(self._left())
        lines = [line[4:].strip() for line in heard.splitlines()]
        return code, b"\n".join(lines)

    def auth(self, *about: Any, **more: Any) -> tuple[int, bytes]:
        """Keeps the first refusal: whatever comes after it is only what follows from it."""
        try:
            return super().auth(*about, **more)
        except smtplib.SMTPAuthenticationError as error:
            self.refusal = self.refusal or error
            raise

    def _receive(self) -> bytes:
        listening = self._socket()
        listening.settimeout(self._left())
        return listening.recv(RECEIVE_BYTES)

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected(error_messages.CLOSED)
        return self.sock

    def _left(self) -> float:
        """Seconds. Raises TimeoutError."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def enter(relay: Relay, timeout: float) -> Client:
    """A client that may send letters. Raises OSError, smtplib's exceptions among it."""
    client = Client(relay, timeout)
    try:
        _greet(client)
        if relay.scheme == "smtp+starttls":
            _encrypt(client)
        if relay.user:
            _log_in(client, relay)
    except BaseException:
        client.close()
        raise
    return client


def _greet(client: Client) -> None:
    code, text = client.ehlo()
    if 500 <= code < 600:
        code, text = client.helo()
    if not 200 <= code < 300:
        raise smtplib.SMTPHeloError(code, text)


def _encrypt(client: Client) -> None:
    """Never goes on in clear."""
    if not client.has_extn("starttls"):
        raise CannotEnter(error_messages.NO_STARTTLS)
    client.starttls(context=certificates())
    _greet(client)


def _log_in(client: Client, relay: Relay) -> None:
    if not LOG_INS & set(client.esmtp_features.get("auth", "").split()):
        raise CannotEnter(error_messages.NO_LOG_IN)
    if not (relay.user + relay.password).isascii():
        raise CannotEnter(error_messages.NOT_ASCII)
    try:
        client.login(relay.user, relay.password)
    except smtplib.SMTPException as error:
        # One that hangs up, or asks to come back later, after it has refused.
        raise client.refusal or error from None
    except ValueError:
        # A challenge that is no base64.
        raise Misbehaves(error_messages.NO_SMTP) from None


@lru_cache(maxsize=1)
def certificates() -> ssl.SSLContext:
    """Whom this machine trusts. Reading it takes 30 ms, as long as a hundred letters."""
    return ssl.create_default_context()
