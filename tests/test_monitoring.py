"""Whoever watches over a newsroom of several machines asks one address, and is answered in time.

Real processes on real servers, which are stopped in their tracks (SIGSTOP): they are still there,
take connections, and never answer.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.mail_catcher.catcher import Catcher
from demo.process_manager import Process
from tests.newsroom_processes import NewsroomProcesses, Servers, running_newsroom
from tests.services import (
    Server,
    ServiceNotInstalled,
    children_of,
    running_postgresql,
    running_redis,
    skip_or_fail,
    wait_for,
)

pytestmark = pytest.mark.long

BOUND = 9
"""Seconds after which a load balancer would have given up; an answer comes in about three."""
WELL = {
    **{"database": "ok", "letters": "ok", "relays": "ok"},
    **{"broker": "ok", "worker": "ok", "intake": "ok", "beat": "ok"},
}

NONE = {"worker": "silent", "intake": "silent"}
"""Without a worker for any queue."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, keys_dir: Path) -> Iterator[NewsroomProcesses]:
    """A newsroom whose web process runs."""
    folder = tmp_path_factory.mktemp("house")
    try:
        with (
            running_postgresql() as postgresql,
            running_redis() as server,
            Catcher(folder / "caught") as relay,
            running_newsroom(folder, Servers(postgresql, server), relay, keys_dir) as built,
        ):
            built.start("web")
            yield built
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


@pytest.fixture
def whole(served: NewsroomProcesses) -> Iterator[NewsroomProcesses]:
    """Of the others nobody knows yet."""
    with redis.Redis.from_url(served.stores.environment["BROKER_URL"]) as client:
        client.flushdb()
    yield served
    for name in set(served.running) - {"web"}:
        served.stop(name)


def start_elsewhere(built: NewsroomProcesses, name: str) -> None:
    """As on another host: nothing of its folder is the web process's."""
    here = built.environment
    built.environment = {**here, "VAR_DIR": str(built.folder / f"var-of-{name}")}
    built.start(name)
    built.environment = here


def ask(built: NewsroomProcesses, query: str = "") -> tuple[int, dict[str, str]]:
    """Fails where no answer comes in time."""
    connection = http.client.HTTPConnection("127.0.0.1", built.port, timeout=BOUND)
    with contextlib.closing(connection):
        connection.request("GET", f"/healthz{query}")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def said(built: NewsroomProcesses, **different: str) -> Callable[[], bool]:
    """Whether that, and nothing else, is wrong."""
    return lambda: ask(built)[1] == {**WELL, **different}


@contextlib.contextmanager
def frozen(server: Server) -> Iterator[None]:
    """All its processes, in the middle of whatever they do."""
    assert server.process is not None
    pids = [server.process.pid, *children_of(server.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_one_answer_tells_of_every_process_wherever_it_runs(whole: NewsroomProcesses) -> None:
    wait_for(said(whole, **NONE, beat="silent"), "the word on what is missing")
    start_elsewhere(whole, "worker")
    wait_for(said(whole, beat="silent"), "the worker's sign")
    assert ask(whole)[0] == 200
    assert ask(whole, "?all")[0] == 503
    start_elsewhere(whole, "beat")
    # Of two web processes each keeps its answer for two seconds.
    wait_for(lambda: ask(whole, "?all") == (200, WELL), "beat's sign")
    # A dead one is forgotten by Redis itself, so that no host's clock matters.
    with redis.Redis.from_url(whole.stores.environment["BROKER_URL"]) as client:
        signs: list[Any] = [key for key in client.scan_iter() if b"alive:" in key]
        assert len(signs) == 3
        assert all(0 < client.ttl(key) <= 180 for key in signs)
        whole.stop("worker")
        for key in signs:
            if not key.endswith(b"beat"):
                client.pexpire(key, 1)
    wait_for(said(whole, **NONE), "the end of the worker's sign")


def test_a_redis_that_hangs_takes_no_web_process_away(whole: NewsroomProcesses) -> None:
    stores: Any = whole.stores
    unknown = {"broker": "no answer", **dict.fromkeys((*NONE, "beat"), "unknown")}
    with frozen(stores.redis):
        wait_for(said(whole, **unknown), "the word on Redis")
        assert ask(whole)[0] == 200
        assert ask(whole, "?all")[0] == 503
    wait_for(said(whole, **NONE, beat="silent"), "Redis, which is back")


def test_a_database_that_hangs_is_said_to_and_seen_when_it_is_back(
    whole: NewsroomProcesses,
) -> None:
    stores: Any = whole.stores
    unknown = {"letters": "unknown", "relays": "unknown"}
    away = {"database": "no answer", **unknown, **NONE, "beat": "silent"}
    with frozen(stores.postgresql):
        # More at once than the web processes have threads: none of these may hang.
        with ThreadPoolExecutor(12) as askers:
            assert {answer[0] for answer in askers.map(ask, [whole] * 12)} <= {200, 503}
        wait_for(lambda: ask(whole) == (503, {**WELL, **away}), "the word on the database")
    wait_for(lambda: ask(whole)[0] == 200, "the database, which is back")


def test_both_that_hang_take_no_longer_than_one(whole: NewsroomProcesses) -> None:
    stores: Any = whole.stores
    with frozen(stores.postgresql), frozen(stores.redis):
        nothing = {
            name: "no answer" if name in {"database", "broker"} else "unknown" for name in WELL
        }
        wait_for(lambda: ask(whole) == (503, nothing), "the word on both")
    wait_for(lambda: ask(whole)[0] == 200, "both, which are back")


def test_a_process_that_was_frozen_is_no_longer_said_to_live(whole: NewsroomProcesses) -> None:
    """It is there, its connection too, and it does nothing."""
    start_elsewhere(whole, "worker")
    wait_for(said(whole, beat="silent"), "the worker's sign")
    worker: Process = whole.running["worker"]
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        with redis.Redis.from_url(whole.stores.environment["BROKER_URL"]) as client:
            for sign in [key for key in client.scan_iter() if b"alive:" in key]:
                client.pexpire(sign, 1)
        wait_for(said(whole, **NONE, beat="silent"), "the end of its sign")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    # Half a minute at most until the next sign.
    wait_for(said(whole, beat="silent"), "the worker, which is back", 60)
