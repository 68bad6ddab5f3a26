"""Sends one mail at a time through the first relay that accepts it, waiting for each reply."""

from __future__ import annotations

import datetime as dt
import logging
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from django.db import transaction

from newsletter import mime
from newsletter.delivery.backends import BackendConnection
from newsletter.delivery.relays import failover, limits
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.delivery.smtp.client import (
    Connection,
    ConnectionLost,
    Envelope,
    Event,
    ReadyForData,
    RelayRefuses,
)
from newsletter.delivery.smtp.connecting import connect

logger = logging.getLogger(__name__)


class NoRelayAvailable(Exception):
    """No relay can be used just now; says why the last cannot."""


class FailoverSender:
    """Keeps the connection open for the next mail."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        self._relay: Relay | None = None
        self._connection: Connection | BackendConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._drop()

    def deliver(self, envelope: Envelope, mail: bytes, provider: str) -> tuple[Outcome, Reply]:
        """The relay's reply. Rate limits count the mail, but never hold it back.

        After a lost connection the next relay is tried, even if the mail may have been accepted.
        Raises NoRelayAvailable.
        """
        cause = ""
        for relay in failover.in_failover_order(self._clock()):
            try:
                outcome, reply = self._send_via(relay, envelope, mail)
            except (ConnectionLost, RelayRefuses) as error:
                self._drop()
                cause = f"{relay} {error}"
                refuses = isinstance(error, RelayRefuses)
                failover.get_state(relay).record_failure(str(error), self._clock(), refuses=refuses)
                continue
            if outcome is Outcome.SENT:
                failover.get_state(relay).record_success(self._clock())
                with transaction.atomic():
                    limits.count(relay, Counter([provider]), self._clock())
            return outcome, reply
        raise NoRelayAvailable(cause)

    def _send_via(self, relay: Relay, envelope: Envelope, mail: bytes) -> tuple[Outcome, Reply]:
        if self._connection is not None and self._relay == relay:
            try:
                return _transaction(self._connection, envelope, mail)
            except ConnectionLost as lost:
                # Relays close connections after a number of mails or seconds.
                if lost.dot_sent:
                    raise
        self._drop()
        self._relay, self._connection = relay, connect(relay)
        return _transaction(self._connection, envelope, mail)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._relay = self._connection = None


def _transaction(
    connection: Connection | BackendConnection, envelope: Envelope, mail: bytes
) -> tuple[Outcome, Reply]:
    """MAIL, RCPT, DATA and the text (RFC 5321, 3.3). Raises ConnectionLost."""
    connection.send_envelope(envelope)
    for event in _events(connection):
        if not isinstance(event, ReadyForData):
            return event.outcome, event.reply
        connection.send_data(mime.encode_for_smtp(mail, eight_bit=connection.eight_bit))
    raise AssertionError("events without an end")


def _events(connection: Connection | BackendConnection) -> Iterator[Event]:
    """Events, until the caller stops. Raises ConnectionLost."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while True:
            wanted = selectors.EVENT_READ
            if connection.has_unsent_data:
                wanted |= selectors.EVENT_WRITE
            selector.modify(connection, wanted)
            left = connection.deadline - time.monotonic()
            ready = selector.select(max(left, 0) if left < float("inf") else None)
            if not ready:
                raise connection.timeout_error()
            for _key, may in ready:
                if may & selectors.EVENT_WRITE:
                    connection.send()
                if may & selectors.EVENT_READ:
                    yield from connection.receive()
