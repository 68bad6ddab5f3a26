"""`make run` as a newcomer has it: real web, worker, beat and mail catcher."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from tests.services import children_of

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]
LINE = re.compile(r"^Digest .+ sent: EN 7, BE/RU 5, failed 0$", re.MULTILINE)


def free_ports(count: int = 3) -> int:
    """The first of so many free ports in a row."""
    for first in range(20000, 30000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


class Demo:
    """The command in a process of its own, and what it says."""

    def __init__(self, var_dir: Path, port: int) -> None:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(var_dir),
            "VAR_DIR": str(var_dir),
            "PORT": str(port),
        }
        self.popen = subprocess.Popen(
            ["make", "--silent", "run", f"PORT={port}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""

    def until_ready(self) -> str:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.said += line
            if "Ctrl-C stops everything" in line:
                return self.said
        raise AssertionError(f"It ended with {self.popen.wait()}:\n{self.said}")

    def children(self) -> list[int]:
        """What the command started; make itself has one child, which is the command."""
        [command] = children_of(self.popen.pid)
        return children_of(command)

    def stop(self) -> None:
        """Ctrl-C, which a terminal sends to make and to the command at once."""
        os.killpg(self.popen.pid, signal.SIGINT)
        self.said += self.popen.communicate(timeout=60)[0]


@pytest.fixture
def port() -> int:
    return free_ports()


@pytest.fixture
def demo(tmp_path: Path, port: int) -> Iterator[Demo]:
    demo = Demo(tmp_path / "var", port)
    yield demo
    if demo.popen.poll() is None:
        demo.stop()


def desk_of(port: int, name: str, password: str) -> str:
    """What a newcomer sees who logs in as the guide says."""
    browser = build_opener(HTTPCookieProcessor())
    with browser.open(f"http://127.0.0.1:{port}/admin/") as answer:
        page, address = answer.read().decode(), answer.url
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
    typed = {"csrfmiddlewaretoken": token, "login": name, "password": password}
    with browser.open(address, data=urlencode(typed).encode()) as answer:
        assert answer.url == f"http://127.0.0.1:{port}/admin/"
        return str(answer.read().decode())


def counted(var_dir: Path, query: str) -> int:
    connection = sqlite3.connect(var_dir / "newsroom.sqlite3")
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


def test_the_demo_sends_a_digest_and_ctrl_c_stops_all_processes(
    demo: Demo, tmp_path: Path, port: int
) -> None:
    said = demo.until_ready()
    assert LINE.search(said), said
    assert len(list((tmp_path / "var/mail").rglob("*.*"))) >= 12
    for page in ("", "en/", "be/", "ru/", "admin/login/"):
        with urlopen(f"http://127.0.0.1:{port}/{page}") as answer:
            assert answer.status == 200
    assert "a password is enough in this demo" in said
    name, password = re.findall(r"log in as (\S+) with (\S+)", said)[0]
    assert "No second factor" in desk_of(port, name, password)
    with urlopen(f"http://127.0.0.1:{port + 1}/") as answer:
        assert "example.org" in answer.read().decode()
    children = demo.children()
    assert len(children) == 5
    demo.stop()
    assert "Stopped." in demo.said
    assert "Traceback" not in demo.said
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    again = Demo(tmp_path / "var", port)
    assert LINE.search(again.until_ready())
    again.stop()
    assert counted(tmp_path / "var", "select count(*) from newsletter_delivery") == 12
    # Everybody has one letter still.
    caught = [path for path in (tmp_path / "var/mail").rglob("*") if path.is_file()]
    assert len(caught) == 12


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        demo = Demo(tmp_path / "var", port)
        said, _ = demo.popen.communicate(timeout=60)
    assert demo.popen.returncode != 0
    assert f"Port {port + 1} (the caught letters) is taken" in said
    assert "PORT=" in said
    assert "Traceback" not in said
