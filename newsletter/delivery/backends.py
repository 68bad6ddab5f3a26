"""Sending through a Django email backend, with the same ledger: one letter after the other, slower.

A backend takes a whole letter and reports only whether it was sent, not where it failed. So any
error but a plain refusal leaves the letter uncertain, and pauses the mailing.
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

ACCEPTED = Reply(250)
REFUSED = Reply(554)
LATER = Reply(451)
MAILBOX_REFUSED = Reply(550)
DJANGO_HEADERS = frozenset(
    {"subject", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
)
"""Headers that Django writes itself."""


class MailBackend(Protocol):
    """What Django's BaseEmailBackend offers."""

    def open(self) -> object: ...
    def close(self) -> object: ...
    def send_messages(self, messages: list[EmailMultiAlternatives]) -> int | None: ...


class BackendConnection:
    """Has the interface of smtp.client.Connection."""

    eight_bit = True
    has_unsent_data = False
    reports_dot = False
    deadline = float("inf")
    """None: a backend has time-outs of its own, and blocks."""

    def __init__(self, relay: Relay) -> None:
        """Raises RelayRefuses or ConnectionLost if the backend cannot be opened."""
        self._backend = cast(MailBackend, get_connection(relay.host, fail_silently=False))
        self._envelope: Envelope | None = None
        self._events: deque[Event] = deque()
        self._failure: ConnectionLost | None = None
        self.dot_sent = False
        try:
            self._backend.open()
        except smtplib.SMTPResponseException as error:
            reply = error_messages.reply_of(error)
            raise RelayRefuses(reply, error_messages.rejected_before_mail(error, reply)) from None
        except AnymailError as error:
            raise RelayRefuses(REFUSED, type(error).__name__) from None
        except OSError as error:
            cause = error_messages.describe(error, settings.EMAIL_TIMEOUT)
            raise ConnectionLost(dot_sent=False, cause=cause) from None
        # Readable when there are events, in place of a socket.
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """For a selector."""
        return self._event_fd

    def send_envelope(self, envelope: Envelope) -> None:
        """Kept until the letter: a backend takes both at once."""
        self._envelope = envelope
        self._emit(ReadyForData())

    def send_data(self, letter: bytes, next_envelope: Envelope | None = None) -> None:
        """Sends the letter, and waits for the result."""
        if self._envelope is None:
            raise AssertionError("a letter without an envelope")
        message = to_django_message(letter, self._envelope)
        self.dot_sent = True
        try:
            outcome, reply = self._send(message)
        except ConnectionLost as lost:
            self._failure = lost
            os.eventfd_write(self._event_fd, 1)
            return
        self.dot_sent = False
        self._emit(DataAnswered(outcome, reply))
        if next_envelope is not None:
            self.send_envelope(next_envelope)

    def receive(self) -> Iterator[Event]:
        """The events since the last call. Raises ConnectionLost."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event_fd)
        while self._events:
            yield self._events.popleft()
        if self._failure is not None:
            raise self._failure

    def send(self) -> None:
        """Nothing is ever unsent."""

    def timeout_error(self) -> ConnectionLost:
        """Never called: there is no deadline."""
        return ConnectionLost(
            dot_sent=self.dot_sent, cause=error_messages.no_reply_within(settings.EMAIL_TIMEOUT)
        )

    def close(self) -> None:
        """Closes the backend, whatever its state."""
        with suppress(Exception):
            self._backend.close()
        os.close(self._event_fd)

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        os.eventfd_write(self._event_fd, 1)

    def _send(self, message: EmailMultiAlternatives) -> tuple[Outcome, Reply]:
        """Raises ConnectionLost if the letter may have been accepted or not."""
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
            return _classify_http(error)
        except Exception as error:  # A backend may raise anything, after it sent the letter.
            cause = error_messages.describe(error, settings.EMAIL_TIMEOUT)
            raise ConnectionLost(dot_sent=True, cause=cause) from None
        if count is None:
            raise ConnectionLost(dot_sent=True, cause="no count of letters")
        return (Outcome.SENT, ACCEPTED) if count else (Outcome.REFUSED, REFUSED)


def to_django_message(letter: bytes, envelope: Envelope) -> EmailMultiAlternatives:
    """The letter as a Django message, with the same texts, headers and envelope.

    Django and anymail use `from_email` as the return path if there is a From header.
    """
    parsed = message_from_bytes(letter.replace(b"\r\n..", b"\r\n."), policy=policy.default)
    headers = {
        name: str(value) for name, value in parsed.items() if name.lower() not in DJANGO_HEADERS
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


def _classify_http(error: AnymailAPIError) -> tuple[Outcome, Reply]:
    """By HTTP status (RFC 9110, 15): after 4xx nothing was accepted, else it may have been."""
    status = getattr(error, "status_code", None)
    if status in {408, 429}:
        return Outcome.LATER, LATER
    if status is not None and 400 <= status < 500:
        return Outcome.REFUSED, REFUSED
    raise ConnectionLost(dot_sent=True, cause=f"HTTP {status or 'without an answer'}")
