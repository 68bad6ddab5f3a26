"""Whether we are well: asked by compose, and told without a word about anybody."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.test import Client
from pytest_django.fixtures import Settings

from newsroom import health, heartbeats
from tests.newsroom.production import environment, run


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["testserver", "10.0.0.7", "bad_host!"])
def test_it_is_well_whatever_name_it_is_asked_under(
    client: Client, settings: Settings, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["news.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    answer = client.get("/healthz", headers={"host": host})
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert not answer.cookies
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_it_is_not_well_without_its_database(client: Client, error: type[Exception]) -> None:
    with patch.object(connection, "cursor", side_effect=error("password hunter2 refused")):
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert b"hunter2" not in answer.content


@pytest.mark.django_db
def test_a_fault_of_ours_is_no_absence_of_the_database(client: Client) -> None:
    client.raise_request_exception = False
    with patch("articles.views.pages.newest_week", side_effect=ValueError):
        answer = client.get("/be/")
    assert answer.status_code == 500
    assert "Retry-After" not in answer.headers
    with patch("articles.views.pages.newest_week", side_effect=OperationalError):
        answer = client.get("/be/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_a_process_is_well_as_long_as_it_gives_signs(
    settings: Settings, tmp_path: Path, process: str
) -> None:
    settings.VAR_DIR = tmp_path / "var"
    assert "no sign of life" in health.ask_file(process, 0)
    heartbeats.begin(process)
    second = heartbeats.path_of(process).stat().st_mtime
    latest = heartbeats.LATEST[process]
    assert health.ask_file(process, second + latest) == ""
    assert "no sign of life for" in health.ask_file(process, second + latest + 1)
    # A sign from the future, after a clock that jumped, is one all the same.
    assert health.ask_file(process, second - 3600) == ""


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    env = environment(tmp_path)
    command = [sys.executable, "-m", "newsroom.health"]
    silent = run([*command, "worker"], env)
    assert (silent.returncode, silent.stdout) == (1, "")
    assert "worker has given no sign of life" in silent.stderr
    alive = Path(env["VAR_DIR"]) / "worker.alive"
    alive.parent.mkdir()
    alive.touch()
    assert run([*command, "worker"], env).returncode == 0
    os.utime(alive, times=(time.time() - 3600, time.time() - 3600))
    assert run([*command, "worker"], env).returncode == 1
    assert run([*command, "web", "http://127.0.0.1:1/healthz"], env).returncode == 1
    assert "python -m newsroom.health" in run(command, env).stderr
