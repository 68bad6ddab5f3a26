"""A process that must not start says why in one line and ends, as itself: no class is asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from newsroom.startup_checks import EXIT_CODE
from tests.newsroom.production import ROOT, environment, run, worker_environment
from tests.services import free_port, wait_for

pytestmark = pytest.mark.long
WEB = ["python", "-m", "newsroom.web", "--workers", "2", "--bind"]
BEAT = ["celery", "-A", "newsroom", "beat"]
WORKER = ["celery", "-A", "newsroom", "worker", "--concurrency", "1"]


def web() -> list[str]:
    return [*WEB, f"127.0.0.1:{free_port()}"]


def says_and_ends(done: subprocess.CompletedProcess[str], said: str) -> None:
    """One line of ours, whatever the program adds about its ending."""
    assert done.returncode == EXIT_CODE, done.stderr
    assert "Traceback" not in done.stderr
    assert said in done.stderr


def test_web_refuses_to_start_when_it_is_given_the_private_key(tmp_path: Path) -> None:
    done = run(web(), worker_environment(tmp_path))
    says_and_ends(done, "The web process must not be given the worker's key")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", ["var/keys", "shared-keys"])
def test_web_refuses_to_start_when_it_finds_the_private_key(tmp_path: Path, place: str) -> None:
    env = environment(tmp_path)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    found = shutil.copy(tmp_path / "worker-key" / "worker.key", tmp_path / place)
    done = run(web(), env)
    says_and_ends(done, f"The web process can read the worker's key at {found}")
    # One line is all that there is.
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("place", [None, "var/keys"])
def test_beat_refuses_the_private_key_as_well(tmp_path: Path, place: str | None) -> None:
    env = environment(tmp_path) if place else worker_environment(tmp_path)
    if place:
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(tmp_path / "worker-key" / "worker.key", tmp_path / place)
    says_and_ends(run(BEAT, env), "Beat can read the" if place else "Beat must not be given")


def test_a_worker_without_its_key_does_not_start(tmp_path: Path) -> None:
    says_and_ends(run(WORKER, environment(tmp_path)), "Run it where WORKER_KEY_FILE is set")


def test_a_worker_whose_key_does_not_open_the_sign_ups_does_not_start(tmp_path: Path) -> None:
    env = worker_environment(tmp_path)
    other = environment(tmp_path / "other")
    shutil.copy(other["INTAKE_KEY_FILE"], env["INTAKE_KEY_FILE"])
    says_and_ends(run(WORKER, env), "does not belong to")


@pytest.mark.parametrize("command", [BEAT, WORKER])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, command: list[str]) -> None:
    env = worker_environment(tmp_path) if command is WORKER else environment(tmp_path)
    (tmp_path / "file").touch()
    env["VAR_DIR"] = str(tmp_path / "file" / "var")
    says_and_ends(run(command, env), "VAR_DIR is")


@pytest.mark.parametrize(
    "command",
    [
        [*WEB, "127.0.0.1:0"],
        BEAT,
        WORKER,
        ["celery", "-A", "newsroom", "inspect", "ping"],
        ["python", "-m", "newsroom.health", "worker"],
    ],
)
def test_a_wrong_setting_is_one_line_under_every_program(
    tmp_path: Path, command: list[str]
) -> None:
    done = run(command, {**environment(tmp_path), "LANES": "many"})
    says_and_ends(done, "Settings: LANES is 'many'. Set it to a whole number from 1 to 64.")


def test_web_starts_without_a_database_and_says_so_kindly(tmp_path: Path) -> None:
    """Nor with Redis: it is well again by itself once the database is there."""
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    env = {**environment(tmp_path), "SECURE_SSL_REDIRECT": "0"}
    process = subprocess.Popen(
        [*WEB, f"127.0.0.1:{port}"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: status(f"{site}/healthz") is not None, "the web process")
        assert status(f"{site}/healthz") == 503
        for path in ("/", "/be/", "/ru/weeks/", "/be/subscribe/"):
            with pytest.raises(HTTPError) as met:
                urlopen(site + path, timeout=20)
            with met.value as answer:
                assert answer.code == 503
                assert answer.headers["Retry-After"] == "60"
                assert answer.headers["Set-Cookie"] is None
                page = answer.read().decode()
            for words in ("back in a few minutes", "праз некалькі хвілін", "через несколько минут"):
                assert words in page
    finally:
        process.terminate()
        assert process.wait(30) == 0


def status(address: str) -> int | None:
    """What is answered; None while nobody does."""
    try:
        with urlopen(address, timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
