"""Whether a process is well, and whether the newsroom is.

GET /healthz      is 200 as long as this web process can work, whatever else is wrong: a load
                  balancer or compose asks. What is wrong stands in the answer.
GET /healthz?all  is 503 if anything is wrong, letters that should have gone included: whoever
                  wakes somebody asks.

python -m newsroom.health web [ADDRESS]   asks the web process at its address
python -m newsroom.health all [ADDRESS]   asks it for everything
python -m newsroom.health worker|intake|beat   looks at the last sign of life below VAR_DIR
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from newsroom import heartbeats, starting

PATH = "/healthz"
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


class Healthz:
    """Answers at /healthz whatever the Host header says."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path != PATH:
            return self.get_response(request)
        found = look()
        needed = found.values() if "all" in request.GET else [found["database"]]
        return JsonResponse(
            found,
            status=200 if set(needed) == {OK} else 503,
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


def ask_web(address: str) -> str:
    """What is wrong with the web process, or with what it tells; empty if nothing is."""
    try:
        with urlopen(address, timeout=10):  # noqa: S310
            return ""
    except HTTPError as error:
        with error:
            return f"{address}: {error.code} {_told(error.read())}".strip()
    except (URLError, OSError, ValueError) as error:
        return f"{address}: {error}"


def _told(body: bytes) -> str:
    """`worker silent, letters overdue`; nothing where somebody else has answered."""
    try:
        found = json.loads(body)
        return ", ".join(f"{name} {word}" for name, word in found.items() if word != OK)
    except (ValueError, AttributeError):
        return ""


def ask_file(process: str, now: float) -> str:
    """What is wrong with a worker or with beat; empty if nothing is."""
    age = heartbeats.seconds_since(process, now)
    if age is None:
        return f"{process} has given no sign of life at {heartbeats.path_of(process)}."
    if age > heartbeats.LATEST[process]:
        return f"{process} has given no sign of life for {age:.0f} seconds."
    return ""


def main(arguments: list[str]) -> str | None:
    """For sys.exit: None if the process is well."""
    match arguments:
        case ["web" | "all" as what, *address] if len(address) < 2:
            asked = address[0] if address else f"http://127.0.0.1:8000{PATH}"
            return ask_web(f"{asked}?all" if what == "all" else asked) or None
        case [process] if process in heartbeats.LATEST:
            return ask_file(process, time.time()) or None
    return __doc__


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    with starting.or_say_why():
        problem = main(sys.argv[1:])
    sys.exit(problem)
