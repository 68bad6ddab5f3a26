"""Letters through any of Django's mail backends, with the same ledger: one after the other, slower.

A backend takes a letter whole and says afterwards whether it went; where it broke is not told. So
whatever is no plain refusal leaves the letter uncertain, and the mailing pauses for a person.
"""

from __future__ import annotations

import os
import smtplib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from typing import Protocol, cast

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from newsletter.delivery.relays import error_messages
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply, classify
from newsletter.delivery.smtp.client import (
    ConnectionLost,
    DataAnswered,
    Envelope,
    Event,
    ReadyForData,
    RelayRefuses,
)

TAKEN = Reply(250)
REFUSED = Reply(554)
LATER = Reply(451)
MAILBOX_REFUSED = Reply(550)
OWN_HEADERS = frozenset(
    {"subject", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
)
"""Django writes these itself."""


class MailBackend(Protocol):
    """What Django's BaseEmailBackend offers."""

    def open(self) -> object: ...
    def close(self) -> object: ...
    def send_messages(self, messages: list[EmailMultiAlternatives]) -> int | None: ...


class BackendConnection:
    """Speaks to a lane as an SMTP connection does."""

    eight_bit = True
    has_more_to_say = False
    tells_where_it_broke = False
    deadline = float("inf")
    """A backend has its own time-outs, and a lane waits for it."""

    def __init__(self, relay: Relay) -> None:
        """Raises RelayRefuses or ConnectionLost where the backend cannot be opened."""
        self._backend = cast(MailBackend, get_connection(relay.host, fail_silently=False))
        self._envelope: Envelope | None = None
        self._events: deque[Event] = deque()
        self._failure: ConnectionLost | None = None
        self.dot_sent = False
        try:
            self._backend.open()
        except smtplib.SMTPResponseException as error:
            reply = error_messages.reply_of(error)
            raise RelayRefuses(reply, error_messages.turned_away(error, reply)) from None
        except AnymailError as error:
            raise RelayRefuses(REFUSED, type(error).__name__) from None
        except OSError as error:
            cause = error_messages.of(error, settings.EMAIL_TIMEOUT)
            raise ConnectionLost(dot_sent=False, cause=cause) from None
        # There is nothing to listen to: it rings when something has happened here.
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """For a selector."""
        return self._bell

    def address(self, envelope: Envelope) -> None:
        """Keeps it; a backend hears of a letter when it gets it whole."""
        self._envelope = envelope
        self._ring(ReadyForData())

    def put(self, letter: bytes, then: Envelope | None = None) -> None:
        """Sends the letter, and waits for what comes of it."""
        if self._envelope is None:
            raise AssertionError("a letter without an envelope")
        message = as_django_sends_it(letter, self._envelope)
        self.dot_sent = True
        try:
            outcome, reply = self._send(message)
        except ConnectionLost as lost:
            self._failure = lost
            os.eventfd_write(self._bell, 1)
            return
        self.dot_sent = False
        self._ring(DataAnswered(outcome, reply))
        if then is not None:
            self.address(then)

    def receive(self) -> Iterator[Event]:
        """What has happened since. Raises ConnectionLost."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        while self._events:
            yield self._events.popleft()
        if self._failure is not None:
            raise self._failure

    def send(self) -> None:
        """Nothing is ever left to say."""

    def fall_silent(self) -> ConnectionLost:
        """Never asked for: there is no deadline."""
        return ConnectionLost(
            dot_sent=self.dot_sent, cause=error_messages.silent(settings.EMAIL_TIMEOUT)
        )

    def close(self) -> None:
        """Ends it, if it can still be ended."""
        with suppress(Exception):
            self._backend.close()
        os.close(self._bell)

    def _ring(self, event: Event) -> None:
        self._events.append(event)
        os.eventfd_write(self._bell, 1)

    def _send(self, message: EmailMultiAlternatives) -> tuple[Outcome, Reply]:
        """Raises ConnectionLost where nobody knows whether the letter was taken."""
        try:
            count = self._backend.send_messages([message])
        except smtplib.SMTPRecipientsRefused as error:
            reply = _reply_of_recipients(error)
            return classify(reply, about_recipient=True), reply
        except smtplib.SMTPResponseException as error:
            reply = error_messages.reply_of(error)
            return classify(reply, about_recipient=False), reply
        except AnymailRecipientsRefused:
            return Outcome.GONE, MAILBOX_REFUSED
        except AnymailAPIError as error:
            return _what_http_means(error)
        except Exception as error:  # Whatever a backend raises: nobody knows what it did before.
            cause = error_messages.of(error, settings.EMAIL_TIMEOUT)
            raise ConnectionLost(dot_sent=True, cause=cause) from None
        if count is None:
            raise ConnectionLost(dot_sent=True, cause="no count of letters")
        return (Outcome.SENT, TAKEN) if count else (Outcome.REFUSED, REFUSED)


def as_django_sends_it(letter: bytes, envelope: Envelope) -> EmailMultiAlternatives:
    """The frozen letter as a message of Django's: same texts, same headers, its envelope.

    Django and anymail take `from_email` as the envelope's where a header says From.
    """
    parsed = message_from_bytes(letter.replace(b"\r\n..", b"\r\n."), policy=policy.default)
    headers = {
        name: str(value) for name, value in parsed.items() if name.lower() not in OWN_HEADERS
    }
    message = EmailMultiAlternatives(
        subject=str(parsed["Subject"]),
        body=_part(parsed, "plain"),
        from_email=envelope.return_path,
        to=[envelope.recipient],
        headers=headers,
    )
    rich = _part(parsed, "html")
    if rich:
        message.attach_alternative(rich, "text/html")
    return message


def _part(parsed: ParsedMessage, kind: str) -> str:
    body = parsed.get_body((kind,))
    return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


def _reply_of_recipients(error: smtplib.SMTPRecipientsRefused) -> Reply:
    [(code, text), *_none] = error.recipients.values()
    return Reply.parse(code, text if isinstance(text, bytes) else b"")


def _what_http_means(error: AnymailAPIError) -> tuple[Outcome, Reply]:
    """A provider's status (RFC 9110, 15): 4xx has taken nothing, any other may have."""
    status = getattr(error, "status_code", None)
    if status in {408, 429}:
        return Outcome.LATER, LATER
    if status is not None and 400 <= status < 500:
        return Outcome.REFUSED, REFUSED
    raise ConnectionLost(dot_sent=True, cause=f"HTTP {status or 'without an answer'}")
