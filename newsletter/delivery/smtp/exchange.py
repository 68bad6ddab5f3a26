"""One mail after the other to the first relay that takes it, waiting for each answer."""

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


class NoRelay(Exception):
    """None of the relays can be used just now; says why the last cannot."""


class Exchange:
    """Keeps its connection for the next mail."""

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
        """What a relay answers. Limits count the mail and never keep it. Raises NoRelay.

        A relay that breaks off is passed over: what it may have taken leaves a second time.
        """
        cause = ""
        for relay in failover.in_order(self._clock()):
            try:
                outcome, reply = self._converse(relay, envelope, mail)
            except (ConnectionLost, RelayRefuses) as error:
                self._drop()
                cause = f"{relay} {error}"
                refuses = isinstance(error, RelayRefuses)
                failover.state_of(relay).fail(str(error), self._clock(), refuses=refuses)
                continue
            if outcome is Outcome.SENT:
                failover.state_of(relay).work(self._clock())
                with transaction.atomic():
                    limits.count(relay, Counter([provider]), self._clock())
            return outcome, reply
        raise NoRelay(cause)

    def _converse(self, relay: Relay, envelope: Envelope, mail: bytes) -> tuple[Outcome, Reply]:
        if self._connection is not None and self._relay == relay:
            try:
                return _transaction(self._connection, envelope, mail)
            except ConnectionLost as lost:
                # Relays close a connection after so many mails, or so many seconds.
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
    connection.address(envelope)
    for event in _events(connection):
        if not isinstance(event, ReadyForData):
            return event.outcome, event.reply
        connection.put(mime.for_the_wire(mail, eight_bit=connection.eight_bit))
    raise AssertionError("events without an end")


def _events(connection: Connection | BackendConnection) -> Iterator[Event]:
    """What the relay says, as long as somebody asks. Raises ConnectionLost."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        while True:
            wanted = selectors.EVENT_READ
            if connection.has_more_to_say:
                wanted |= selectors.EVENT_WRITE
            selector.modify(connection, wanted)
            left = connection.deadline - time.monotonic()
            ready = selector.select(max(left, 0) if left < float("inf") else None)
            if not ready:
                raise connection.fall_silent()
            for _key, may in ready:
                if may & selectors.EVENT_WRITE:
                    connection.send()
                if may & selectors.EVENT_READ:
                    yield from connection.receive()
