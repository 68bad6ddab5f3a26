"""A lane's connections to its relay, each with the letters in flight on it."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from core.states import InvalidTransition
from newsletter.delivery.backends import BackendConnection
from newsletter.delivery.personalisation import Letter
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.delivery.smtp.client import Connection, ReadyForData, RecipientRejected

POLL_SECONDS = 0.25
"""Between two checks for connections that timed out."""


class ConnectionState(Enum):
    """The state of a connection's mail transaction (RFC 5321, 3.3)."""

    IDLE = "idle"
    ENVELOPE = "envelope"
    READY = "ready"
    DATA = "data"
    CLOSED = "closed"


IDLE, ENVELOPE, READY, DATA, CLOSED = ConnectionState


@dataclass(eq=False)
class LaneConnection:
    """A connection, and the letters in flight on it.

    | state    | event                                 | next     |
    |----------|---------------------------------------|----------|
    | idle     | send_envelope                         | envelope |
    | envelope | ReadyForData                          | ready    |
    | envelope | RecipientRejected                     | idle     |
    | ready    | hand_over                             | data     |
    | data     | DataAnswered                          | idle     |
    | data     | DataAnswered, next envelope was sent  | envelope |
    | any      | close                                 | closed   |

    A connection lost before `data` leaves nobody uncertain: no text has been sent.
    """

    connection: Connection | BackendConnection
    state: ConnectionState = IDLE
    letter: Letter | None = None
    """The relay has its envelope or text. In `data` its row is marked as handed over."""
    next_letter: Letter | None = None
    """In `data`: its envelope is sent behind the text."""
    has_answered: bool = False
    """The relay has replied to a final dot."""

    @property
    def is_idle(self) -> bool:
        return self.state is IDLE

    @property
    def awaits_reply(self) -> bool:
        return self.state is ENVELOPE or self.state is DATA

    def send_envelope(self, letter: Letter) -> None:
        """Raises ConnectionLost."""
        self._move(IDLE, ENVELOPE)
        self.letter = letter
        self.connection.send_envelope(letter.envelope)

    def hand_over(self, next_letter: Letter | None) -> None:
        """After the commit and before the text: from now on the letter may be accepted."""
        self._move(READY, DATA)
        self.next_letter = next_letter

    def send_text(self, text: bytes) -> None:
        """Raises ConnectionLost."""
        following = self.next_letter
        self.connection.send_data(text, following.envelope if following is not None else None)

    def receive(self) -> Iterator[tuple[Letter, Outcome, Reply]]:
        """Replies about letters. Raises ConnectionLost after the last."""
        for event in self.connection.receive():
            if isinstance(event, ReadyForData):
                self._move(ENVELOPE, READY)
                continue
            letter = self.letter
            if isinstance(event, RecipientRejected):
                self._move(ENVELOPE, IDLE)
            else:
                self._move(DATA, IDLE if self.next_letter is None else ENVELOPE)
                self.has_answered = True
            if letter is None:
                raise AssertionError("a reply to no letter")
            self.letter, self.next_letter = self.next_letter, None
            yield letter, event.outcome, event.reply

    def close(self) -> None:
        """In any state; the lane records its letters as lost."""
        self.state = CLOSED
        self.connection.close()

    def _move(self, expected: ConnectionState, following: ConnectionState) -> None:
        if self.state is not expected:
            raise InvalidTransition(f"{self.state.value} → {following.value}")
        self.state = following


@dataclass
class ConnectionPool:
    """All connections of a lane, and their selector."""

    _open: list[LaneConnection] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _polled_at: float = 0
    """By the monotonic clock: the last check for time-outs."""
    has_answered: bool = False
    """A dropped connection had: the relay works."""

    def __iter__(self) -> Iterator[LaneConnection]:
        """Over a copy: connections may be dropped meanwhile."""
        return iter(list(self._open))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def busy(self) -> int:
        """How many have a letter in flight."""
        return sum(one.state is not IDLE for one in self._open)

    @property
    def ready(self) -> list[LaneConnection]:
        """Those whose relay expects a text."""
        return [one for one in self._open if one.state is READY]

    @property
    def awaits_reply(self) -> bool:
        return any(one.awaits_reply for one in self._open)

    def add(self, connection: Connection | BackendConnection) -> None:
        """Adds a new connection."""
        added = LaneConnection(connection)
        self._open.append(added)
        self._selector.register(connection, selectors.EVENT_READ, added)

    def drop(self, dropped: LaneConnection) -> None:
        """Closes and removes one, in any state."""
        self._open.remove(dropped)
        self._selector.unregister(dropped.connection)
        dropped.close()
        self.has_answered |= dropped.has_answered

    def watch(self, watched: LaneConnection) -> None:
        """Updates what to select it for, after something was sent or received."""
        wanted = selectors.EVENT_READ
        if watched.connection.has_unsent_data:
            wanted |= selectors.EVENT_WRITE
        if self._selector.get_key(watched.connection).events != wanted:
            self._selector.modify(watched.connection, wanted, watched)

    def select(self, seconds: float) -> list[tuple[LaneConnection, bool, bool]]:
        """Waits for the first; whether each is writable, and readable."""
        return [
            (key.data, bool(events & selectors.EVENT_WRITE), bool(events & selectors.EVENT_READ))
            for key, events in self._selector.select(max(seconds, 0))
        ]

    def timed_out(self) -> list[LaneConnection]:
        """Those past their deadline; checked every POLL_SECONDS."""
        now = time.monotonic()
        if now < self._polled_at + POLL_SECONDS:
            return []
        self._polled_at = now
        return [one for one in self._open if one.awaits_reply and one.connection.deadline < now]

    def close(self) -> None:
        """Once all are dropped: closes the selector."""
        self._selector.close()
