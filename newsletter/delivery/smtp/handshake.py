"""Connect, EHLO, STARTTLS (RFC 3207) and AUTH (RFC 4954), all within one deadline.

smtplib sends the commands. Replies are read here: smtplib's time-out starts again with each piece
that arrives, so that a slow relay could hold a lane for ever, and it takes invalid replies for
refusals.
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
"""Of all lines of one reply; RFC 5321, 4.5.3.1.5 allows 512 octets per line."""
RECEIVE_BYTES = 64 * 1024
SEND_BUFFER_BYTES = 256 * 1024
"""So that most letters fit into one call of send()."""
AUTH_MECHANISMS = frozenset({"CRAM-MD5", "PLAIN", "LOGIN"})
"""Those that smtplib supports."""


class ProtocolError(smtplib.SMTPException):
    """The relay's reply is not valid SMTP; says why."""


class AuthenticationFailed(smtplib.SMTPException):
    """The relay offers no STARTTLS, or no way to authenticate; says which."""


def parse_reply(received: bytes) -> tuple[int, bytes, int] | None:
    """The first reply in the bytes, of one or several lines (RFC 5321, 4.2.1).

    Its code, the text of its last line, and its length; None while it is incomplete. A plain tuple
    for speed: every letter has four replies. Raises ProtocolError.
    """
    start = 0
    while (end := received.find(b"\n", start)) >= 0:
        line = received[start:end].rstrip(b"\r")
        code, mark = line[:3], line[3:4]
        if not code.isdigit() or mark not in (b" ", b"-", b""):
            raise ProtocolError(error_messages.NOT_SMTP)
        if mark != b"-":
            return int(code), line[4:], end + 1
        start = end + 1
    if len(received) > MAX_REPLY_BYTES:
        raise ProtocolError(error_messages.REPLY_TOO_LONG)
    return None


class SmtpClient(smtplib.SMTP):
    """smtplib's client with a `deadline` by the monotonic clock for everything.

    Except for the resolver, which has time limits of its own (resolv.conf).
    """

    def __init__(self, relay: Relay, timeout: float) -> None:
        """Connects, and reads the greeting. Raises OSError (smtplib's exceptions are)."""
        self.deadline = time.monotonic() + timeout
        self.refusal: smtplib.SMTPAuthenticationError | None = None
        self._is_encrypted = relay.scheme == "smtps"
        # For EHLO. Without it smtplib would send this machine's host name.
        ehlo_name = settings.BOUNCE_DOMAIN
        try:
            super().__init__(relay.host, relay.port, ehlo_name, timeout=timeout)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        """Overridden as in smtplib.SMTP_SSL."""
        connected = self._connect_socket(host, port)
        # The dot may be a packet of its own, which Nagle's algorithm would delay until the
        # relay's delayed acknowledgement: 40 ms per letter.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        connected.settimeout(self._left())
        if self._is_encrypted:
            return tls_context().wrap_socket(connected, server_hostname=host)
        return connected

    def _connect_socket(self, host: str, port: int) -> socket.socket:
        """To any of the host's addresses, with a share of the time left for each."""
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
        """One complete reply and nothing behind it. Raises OSError, ProtocolError.

        Bytes behind the reply to STARTTLS could be injected by somebody in between, to be taken for
        a reply under TLS (RFC 3207, 6).
        """
        received = b""
        while (parsed := parse_reply(received)) is None:
            piece = self._receive()
            if not piece:
                raise smtplib.SMTPServerDisconnected(error_messages.CONNECTION_CLOSED)
            received += piece
        code, _text, end = parsed
        if end < len(received):
            raise ProtocolError(error_messages.UNSOLICITED_REPLY)
        self._socket().settimeout(self._left())
        lines = [line[4:].strip() for line in received.splitlines()]
        return code, b"\n".join(lines)

    def auth(self, *about: Any, **more: Any) -> tuple[int, bytes]:
        """Keeps the first refusal: later errors are only its consequence."""
        try:
            return super().auth(*about, **more)
        except smtplib.SMTPAuthenticationError as error:
            self.refusal = self.refusal or error
            raise

    def _receive(self) -> bytes:
        connected = self._socket()
        connected.settimeout(self._left())
        return connected.recv(RECEIVE_BYTES)

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected(error_messages.CONNECTION_CLOSED)
        return self.sock

    def _left(self) -> float:
        """Seconds until the deadline. Raises TimeoutError."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def open_session(relay: Relay, timeout: float) -> SmtpClient:
    """A client that is ready for MAIL. Raises OSError (smtplib's exceptions are)."""
    client = SmtpClient(relay, timeout)
    try:
        _ehlo(client)
        if relay.scheme == "smtp+starttls":
            _start_tls(client)
        if relay.user:
            _authenticate(client, relay)
    except BaseException:
        client.close()
        raise
    return client


def _ehlo(client: SmtpClient) -> None:
    code, text = client.ehlo()
    if 500 <= code < 600:
        code, text = client.helo()
    if not 200 <= code < 300:
        raise smtplib.SMTPHeloError(code, text)


def _start_tls(client: SmtpClient) -> None:
    """Never continues unencrypted."""
    if not client.has_extn("starttls"):
        raise AuthenticationFailed(error_messages.NO_STARTTLS)
    client.starttls(context=tls_context())
    _ehlo(client)


def _authenticate(client: SmtpClient, relay: Relay) -> None:
    if not AUTH_MECHANISMS & set(client.esmtp_features.get("auth", "").split()):
        raise AuthenticationFailed(error_messages.NO_AUTH_MECHANISM)
    if not (relay.user + relay.password).isascii():
        raise AuthenticationFailed(error_messages.CREDENTIALS_NOT_ASCII)
    try:
        client.login(relay.user, relay.password)
    except smtplib.SMTPException as error:
        # A relay may close the connection, or reply 4xx, after it has refused.
        raise client.refusal or error from None
    except ValueError:
        # A challenge that is not base64.
        raise ProtocolError(error_messages.NOT_SMTP) from None


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """With the system's certificate authorities. Cached: loading them takes 30 ms."""
    return ssl.create_default_context()
