"""How fast one client may sign up.

In the memory of this process alone: nothing that says who came is ever stored. Several web
processes count each for itself, so a client may do as much at each of them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter

WINDOW = dt.timedelta(minutes=10)
MOST_IN_WINDOW = 10
"""Many readers come by one VPN, and who is over the limit waits a little, no more."""
MOST_OF_ALL = 300
"""Where a proxy keeps readers' addresses to itself, all of them are one client here."""
MOST_CLIENTS = 50_000
"""So that a crowd of clients does not fill the memory."""


class Pace:
    """Counts clients within windows, and forgets all of them with each new window."""

    def __init__(self, most: int = MOST_IN_WINDOW, window: dt.timedelta = WINDOW) -> None:
        self._most, self._window = most, window
        self._began = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._counts: Counter[str] = Counter()

    def is_too_fast(self, client: str, now: dt.datetime) -> bool:
        """Counts one more of this client's, who is a keyed hash, never an address; or empty."""
        # A window that lies ahead was begun by a clock that has been set back since.
        if not self._began <= now < self._began + self._window:
            self._began = now
            self._counts.clear()
        if client not in self._counts and len(self._counts) >= MOST_CLIENTS:
            return True
        self._counts[client] += 1
        return self._counts[client] > (self._most if client else MOST_OF_ALL)


pace = Pace()
"""This process's own."""
