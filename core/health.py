"""Health checks of database, broker, workers and beat, and those that apps register.

Each group of checks runs in a thread with a timeout, so that one that hangs delays nobody.
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
"""The only words that are published: /healthz needs no log-in."""
CHECK_TIMEOUT_SECONDS = 3.0
RESULT_TTL_SECONDS = 2.0
HUNG_CHECK_TIMEOUT_SECONDS = 60.0
"""Until a new run starts beside one that hangs."""
BROKER_TIMEOUT_SECONDS = 2.0
"""To connect, and for a reply."""

Check = Callable[[dt.datetime], str]
"""Returns OK, or in one word what is wrong. May hang."""


class _CheckRun:
    """Runs the checks once, in a thread. If the first fails, the others are UNKNOWN."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self.started_at = time.monotonic()
        self.finished = threading.Event()
        self._results: dict[str, str] = {}
        self._checks = dict(checks)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for position, (name, check) in enumerate(self._checks.items()):
                self._results[name] = NO_ANSWER
                self._results[name] = check(dt.datetime.now(dt.UTC))
                if position == 0 and self._results[name] != OK:
                    return
        finally:
            connections.close_all()
            self.finished.set()

    def results(self) -> dict[str, str]:
        """Waits until all have finished, or until the timeout since the start."""
        self.finished.wait(max(self.started_at + CHECK_TIMEOUT_SECONDS - time.monotonic(), 0))
        return {name: self._results.get(name, UNKNOWN) for name in self._checks}


class Probe:
    """A group of checks. A run that hangs is not started again meanwhile."""

    def __init__(self, **checks: Check) -> None:
        self.checks = checks
        self._last_run: _CheckRun | None = None
        self._lock = threading.Lock()

    def run(self) -> _CheckRun:
        """The run in progress or a recent one, else a new one."""
        now = time.monotonic()
        with self._lock:
            run = self._last_run
            if run is None or now > run.started_at + (
                RESULT_TTL_SECONDS if run.finished.is_set() else HUNG_CHECK_TIMEOUT_SECONDS
            ):
                run = self._last_run = _CheckRun(self.checks)
        return run


def check_database(_now: dt.datetime) -> str:
    """Runs in a new thread and so over a new connection."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        return NO_ANSWER
    return OK


def check_broker(_now: dt.datetime) -> str:
    """Redis answers a PING, or the filesystem broker's directory is writable."""
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        return OK if os.access(settings.BROKER_DIR, os.W_OK | os.X_OK) else NO_ANSWER
    client = Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        socket_timeout=BROKER_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            client.ping()
    except (RedisError, OSError):
        return NO_ANSWER
    return OK


def _heartbeat_check(process: str) -> Check:
    def check(_now: dt.datetime) -> str:
        try:
            return OK if heartbeats.is_alive(process) else SILENT
        except (RedisError, DatabaseError, InterfaceError):
            return UNKNOWN

    return check


_database_probe = Probe(database=check_database)
_broker_probe = Probe(
    broker=check_broker, **{name: _heartbeat_check(name) for name in heartbeats.MAX_AGE_SECONDS}
)


def register_check(name: str, check: Check) -> None:
    """Adds an app's check, which may query the database."""
    _database_probe.checks[name] = check


def check_all() -> dict[str, str]:
    """All checks, within CHECK_TIMEOUT_SECONDS; one that hangs is NO_ANSWER."""
    runs = _database_probe.run(), _broker_probe.run()
    return runs[0].results() | runs[1].results()


def check_broker_and_processes() -> dict[str, str]:
    """Broker, workers and beat only, for pages that have queried the database themselves."""
    return _broker_probe.run().results()
