"""Whether what the newsroom runs on answers: database, broker, workers, beat, and what apps add.

What hangs holds nobody up: each check has a thread of its own and a time to answer in.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core import heartbeats

OK, NO_ANSWER, SILENT, UNKNOWN = "ok", "no answer", "silent", "unknown"
"""All that a stranger may learn: no number, no name, no version."""
ANSWERS_WITHIN = 3.0
"""Seconds that a check has until whoever asks is told that it hangs."""
GOOD_FOR = 2.0
"""Seconds that an answer is good for, so that asking often costs nothing."""
GIVEN_UP_AFTER = 60.0
"""Seconds after which a check that hangs is begun anew beside it."""
PATIENCE = 2.0
"""Seconds for the broker to connect, and to answer."""

Check = Callable[[dt.datetime], str]
"""Says OK, or in one word what is wrong. May hang."""


class _Round:
    """The checks done once, in order, in a thread of their own; where the first finds something
    wrong, nobody can know of the others."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self.began = time.monotonic()
        self.is_over = threading.Event()
        self._found: dict[str, str] = {}
        self._checks = dict(checks)
        threading.Thread(target=self._do, daemon=True).start()

    def _do(self) -> None:
        try:
            for place, (name, check) in enumerate(self._checks.items()):
                # Until it has answered.
                self._found[name] = NO_ANSWER
                self._found[name] = check(dt.datetime.now(dt.UTC))
                if place == 0 and self._found[name] != OK:
                    return
        finally:
            connections.close_all()
            self.is_over.set()

    def found(self) -> dict[str, str]:
        """What is known once it is over, or has had its time; nobody waits for it a second time."""
        self.is_over.wait(max(self.began + ANSWERS_WITHIN - time.monotonic(), 0))
        return {name: self._found.get(name, UNKNOWN) for name in self._checks}


class Probe:
    """Checks that hang together. What hangs holds nobody up, and is not asked again meanwhile."""

    def __init__(self, **checks: Check) -> None:
        self.checks = checks
        self._round: _Round | None = None
        self._lock = threading.Lock()

    def ask(self) -> _Round:
        """The round that is under way or was just now, or a new one."""
        now = time.monotonic()
        with self._lock:
            known = self._round
            if known is None or now > known.began + (
                GOOD_FOR if known.is_over.is_set() else GIVEN_UP_AFTER
            ):
                known = self._round = _Round(self.checks)
        return known


def database_answers(_now: dt.datetime) -> str:
    """Over a connection of its own: an old one to a server that hangs would not notice."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return NO_ANSWER
    return OK


def broker_answers(_now: dt.datetime) -> str:
    """Whether Redis answers; the filesystem's broker is a folder to write into."""
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return OK if os.access(settings.BROKER_DIR, os.W_OK | os.X_OK) else NO_ANSWER
    client = Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_connect_timeout=PATIENCE,
        socket_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            client.ping()
    except (RedisError, OSError):
        return NO_ANSWER
    return OK


def _sign_of(process: str) -> Check:
    def check(_now: dt.datetime) -> str:
        try:
            return OK if heartbeats.lives(process) else SILENT
        except (RedisError, DatabaseError, InterfaceError):
            return UNKNOWN

    return check


_store = Probe(database=database_answers)
_engine = Probe(broker=broker_answers, **{name: _sign_of(name) for name in heartbeats.LATEST})


def add_check(name: str, check: Check) -> None:
    """An app's own, which asks the database; for whoever asks for everything."""
    _store.checks[name] = check


def look() -> dict[str, str]:
    """Everything, within ANSWERS_WITHIN seconds; what hangs is NO_ANSWER."""
    store, engine = _store.ask(), _engine.ask()
    return store.found() | engine.found()


def engine() -> dict[str, str]:
    """As `look`, of broker, workers and beat alone: for pages that have the database's word."""
    return _engine.ask().found()
