"""The web server with its settings: who is slow, who ends it, and what an application is told."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from demo import process_manager
from demo.process_manager import Process
from tests.newsroom.production import ROOT
from tests.services import free_port, listens, wait_for

SERVED = """
import os, sys, time
from newsroom.server import serve, without_process_environment

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/slow":
        open(sys.argv[2], "w").close()
        while os.path.exists(sys.argv[2]):
            time.sleep(0.01)
    return ["\\n".join(f"{name}={value}" for name, value in environ.items()).encode()]

serve(without_process_environment(application), f"127.0.0.1:{sys.argv[1]}", 1)
"""
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@dataclass
class Web:
    """One worker."""

    port: int
    process: Process
    under_way: Path
    """There while a slow request is; it is answered once somebody removes it."""

    def ask(self, path: str = "/", **headers: str) -> str:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    port, under_way = free_port(), tmp_path / "under-way"
    command = [sys.executable, "-c", SERVED, str(port), str(under_way)]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "SECRET_KEY": "planted"}
    with process_manager.running({"web": command}, environment, tmp_path / "log") as [process]:
        wait_for(lambda: listens(port), "the server")
        yield Web(port, process, under_way)


def test_the_process_environment_is_not_in_the_wsgi_environ(web: Web) -> None:
    said = web.ask("/path?query", **{"X-Visitor": "yes", "Script-Name": "/elsewhere"})
    assert "HTTP_X_VISITOR=yes" in said
    assert "PATH_INFO=/path" in said
    assert "SCRIPT_NAME=\n" in said
    assert "planted" not in said


def test_slow_headers_block_no_other_request(web: Web) -> None:
    with contextlib.ExitStack() as stack:
        for _slow in range(40):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", web.port), 10))
            client.sendall(HALF)
        assert "PATH_INFO=/" in web.ask()


def test_requests_in_progress_finish_before_shutdown(web: Web) -> None:
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(web.ask("/slow")))
    asking.start()
    wait_for(web.under_way.exists, "a request under way")
    web.process.terminate()
    wait_for(lambda: not listens(web.port), "nobody else to be let in")
    web.under_way.unlink()
    asking.join(30)
    assert len(answers) == 1


def test_no_worker_outlives_a_server_that_was_killed(web: Web) -> None:
    os.kill(web.process.pid, signal.SIGKILL)
    wait_for(lambda: not listens(web.port), "the worker to end")
