"""Whether we are well: asked by compose, and told without a word about anybody."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer
from redis.exceptions import RedisError

from core import health, heartbeats
from newsroom import health as endpoint
from tests.factories import make_mailing
from tests.newsroom.production import environment, run

WELL = {
    **{"database": "ok", "letters": "ok", "relays": "ok"},
    **{"broker": "ok", "worker": "ok", "intake": "ok", "beat": "ok"},
}


@pytest.fixture
def asked(settings: Settings, tmp_path: Path) -> Iterator[Client]:
    """All that is needed is there, and another thread can see it."""
    settings.BROKER_DIR, settings.VAR_DIR = tmp_path, tmp_path
    cache.clear()
    for process in heartbeats.MAX_AGE_SECONDS:
        heartbeats.beat(process)
    yield Client()
    cache.clear()


def put_in(monkeypatch: pytest.MonkeyPatch, **checks: health.Check) -> None:
    """In the place of the real ones; the first of each kind is always asked first."""
    for name in ("_database_probe", "_broker_probe"):
        known = getattr(health, name).checks
        mine = {key: checks.get(key, check) for key, check in known.items()}
        monkeypatch.setattr(health, name, health.Probe(**mine))


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("host", ["testserver", "10.0.0.7", "bad_host!"])
@pytest.mark.parametrize("query", ["", "?all"])
def test_it_is_well_whatever_name_it_is_asked_under(
    asked: Client, settings: Settings, host: str, query: str
) -> None:
    settings.ALLOWED_HOSTS = ["news.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    answer = asked.get(f"/healthz{query}", headers={"host": host})
    assert (answer.status_code, answer.json()) == (200, WELL)
    assert not answer.cookies
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_it_is_not_well_without_its_database(
    asked: Client, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    with patch.object(BaseDatabaseWrapper, "cursor", side_effect=error("password hunter2 refused")):
        answer = asked.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "no answer"
    assert answer.json()["letters"] == "unknown"
    assert b"hunter2" not in answer.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("process", ["worker", "intake", "beat"])
def test_a_dead_worker_fails_healthz_all_but_not_healthz(asked: Client, process: str) -> None:
    cache.delete(f"alive:{process}")
    assert asked.get("/healthz").status_code == 200
    answer = asked.get("/healthz?all")
    assert (answer.status_code, answer.json()) == (503, {**WELL, process: "silent"})


@pytest.mark.django_db(transaction=True)
def test_without_the_broker_other_processes_are_unknown(asked: Client, settings: Settings) -> None:
    settings.BROKER_DIR = settings.BROKER_DIR / "nowhere"
    for query, status in (("", 200), ("?all", 503)):
        answer = asked.get(f"/healthz{query}")
        assert answer.status_code == status
        assert answer.json() == {
            **WELL,
            "broker": "no answer",
            "worker": "unknown",
            "intake": "unknown",
            "beat": "unknown",
        }


@pytest.mark.django_db(transaction=True)
def test_overdue_letters_fail_healthz_all(asked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.stats.alerts.find_alerts", lambda now: True)
    assert asked.get("/healthz").status_code == 200
    answer = asked.get("/healthz?all")
    assert (answer.status_code, answer.json()) == (503, {**WELL, "letters": "overdue"})


@pytest.mark.django_db(transaction=True)
def test_a_hung_check_times_out_and_is_not_repeated(
    asked: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, hung = threading.Event(), []

    def hang(_now: dt.datetime) -> str:
        hung.append(1)
        released.wait(30)
        return health.OK

    monkeypatch.setattr(health, "CHECK_TIMEOUT_SECONDS", 0.05)
    put_in(monkeypatch, database=hang, broker=lambda _now: health.OK)
    try:
        for _time in range(3):
            answer = asked.get("/healthz")
            assert answer.status_code == 503
            assert answer.json()["database"] == "no answer"
            assert answer.json()["letters"] == "unknown"
        assert len(hung) == 1
        monkeypatch.setattr(health, "HUNG_CHECK_TIMEOUT_SECONDS", 0.0)
        asked.get("/healthz")
        assert len(hung) == 2, "a server that came back would else never be seen"
    finally:
        released.set()


@pytest.mark.django_db(transaction=True)
def test_asking_often_costs_nothing(asked: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def count(_now: dt.datetime) -> str:
        counted.append(1)
        return health.OK

    put_in(monkeypatch, database=count)
    for _time in range(20):
        asked.get("/healthz?all")
    assert len(counted) == 1


@pytest.mark.django_db(transaction=True)
def test_a_stranger_learns_nothing_but_one_word_for_each(asked: Client) -> None:
    make_mailing(readers=1)
    said = asked.get("/healthz?all").content.decode()
    assert set(re.findall(r"[a-z]+", said.lower())) <= {*WELL, "ok", "overdue"}
    assert not re.search(r"\d", said)


@pytest.mark.django_db
def test_a_fault_of_ours_is_no_absence_of_the_database(client: Client) -> None:
    client.raise_request_exception = False
    with patch("articles.public.views.selectors.newest_week", side_effect=ValueError):
        answer = client.get("/be/")
    assert answer.status_code == 500
    assert "Retry-After" not in answer.headers
    with patch("articles.public.views.selectors.newest_week", side_effect=OperationalError):
        answer = client.get("/be/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("process", ["worker", "intake", "beat"])
def test_a_process_is_healthy_while_it_sends_heartbeats(
    settings: Settings, tmp_path: Path, process: str
) -> None:
    settings.VAR_DIR = tmp_path / "var"
    assert "no heartbeat at" in endpoint.check_heartbeat(process, 0)
    heartbeats.start(process)
    second = heartbeats.heartbeat_path(process).stat().st_mtime
    latest = heartbeats.MAX_AGE_SECONDS[process]
    assert endpoint.check_heartbeat(process, second + latest) == ""
    assert "no heartbeat for" in endpoint.check_heartbeat(process, second + latest + 1)
    # A sign from the future, after a clock that jumped, is one all the same.
    assert endpoint.check_heartbeat(process, second - 3600) == ""


@pytest.mark.django_db
def test_heartbeats_are_cached_at_intervals(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    now = 1000.0
    monkeypatch.setattr(heartbeats.time, "monotonic", lambda: now)
    with patch.object(heartbeats, "cache") as shared:
        for _beat in range(30):
            heartbeats.beat("worker")
            now += 2
        assert shared.set.call_count == 3
        shared.set.side_effect = RedisError
        now += heartbeats.CACHE_INTERVAL_SECONDS
        heartbeats.beat("worker")
        # Whoever could not show it tries with the next.
        heartbeats.beat("worker")
        assert shared.set.call_count == 5


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    env = environment(tmp_path)
    command = [sys.executable, "-m", "newsroom.health"]
    silent = run([*command, "worker"], env)
    assert (silent.returncode, silent.stdout) == (1, "")
    assert "worker has no heartbeat" in silent.stderr
    alive = Path(env["VAR_DIR"]) / "worker.alive"
    alive.parent.mkdir()
    alive.touch()
    assert run([*command, "worker"], env).returncode == 0
    os.utime(alive, times=(time.time() - 3600, time.time() - 3600))
    assert run([*command, "worker"], env).returncode == 1
    assert run([*command, "web", "http://127.0.0.1:1/healthz"], env).returncode == 1
    assert "python -m newsroom.health" in run(command, env).stderr


@pytest.mark.real_clock
@pytest.mark.django_db(transaction=True)
def test_the_monitoring_command_names_the_failed_checks(
    asked: Client, live_server: LiveServer
) -> None:
    address = f"{live_server.url}/healthz"
    assert endpoint.main(["all", address]) is None
    cache.delete("alive:beat")
    health._broker_probe._last_run = None
    assert endpoint.main(["web", address]) is None
    assert str(endpoint.main(["all", address])).endswith("503 beat silent")
    assert endpoint.main(["all", address, "more"]) == endpoint.__doc__
