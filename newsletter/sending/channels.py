"""A lane's connections to its relay, and the ear that listens to all of them at once."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from newsletter.sending.backends import BackendConnection
from newsletter.sending.letters import Letter
from newsletter.sending.smtp import Connection

LOOK_AROUND = 0.25
"""Seconds between two looks for connections that have fallen silent."""


@dataclass(eq=False)
class Channel:
    """A connection, and the letters that it has in hand."""

    connection: Connection | BackendConnection
    addressed: Letter | None = None
    """Its envelope has been said: nothing has left yet that could be taken."""
    leaving: Letter | None = None
    """It is marked as handed over, and its answer is awaited."""
    taken: int = 0

    @property
    def is_busy(self) -> bool:
        return self.addressed is not None or self.leaving is not None


@dataclass
class Channels:
    """All of a lane's."""

    _all: list[Channel] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _looked_at: float = 0
    """By the monotonic clock: when it was last looked for connections that fell silent."""

    def __iter__(self) -> Iterator[Channel]:
        """Of a copy: what is said to one may drop it."""
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    @property
    def busy(self) -> int:
        """How many have a letter in hand."""
        return sum(channel.is_busy for channel in self._all)

    def add(self, connection: Connection | BackendConnection) -> None:
        """A new connection, without a letter."""
        channel = Channel(connection)
        self._all.append(channel)
        self._selector.register(connection, selectors.EVENT_READ, channel)

    def drop(self, channel: Channel) -> None:
        """Closes a connection, in whatever state."""
        self._all.remove(channel)
        self._selector.unregister(channel.connection)
        channel.connection.close()

    def watch(self, channel: Channel) -> None:
        """Listens for what it may do next, after something was said or heard."""
        wanted = selectors.EVENT_READ
        if channel.connection.has_more_to_say:
            wanted |= selectors.EVENT_WRITE
        if self._selector.get_key(channel.connection).events != wanted:
            self._selector.modify(channel.connection, wanted, channel)

    def listen(self, seconds: float) -> list[tuple[Channel, bool, bool]]:
        """Waits so long for the first; each may be spoken to, heard, or both."""
        return [
            (key.data, bool(events & selectors.EVENT_WRITE), bool(events & selectors.EVENT_READ))
            for key, events in self._selector.select(max(seconds, 0))
        ]

    def silent(self) -> list[Channel]:
        """Those whose relay owes an answer for too long; looked for now and then."""
        now = time.monotonic()
        if now < self._looked_at + LOOK_AROUND:
            return []
        self._looked_at = now
        return [one for one in self._all if one.is_busy and one.connection.deadline < now]

    def close(self) -> None:
        """Once all are dropped."""
        self._selector.close()
