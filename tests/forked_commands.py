"""Django loaded once in an environment, so that a command costs a fork of it and not a start.

A command takes two seconds of a processor to begin. What a fork does is as good as a process of
its own: nothing is remembered from one to the next, and it closes what it opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import django
from django.core.management import ManagementUtility
from django.db import connections

ROOT = Path(__file__).resolve().parents[1]


class Ended(NamedTuple):
    """What a command has left."""

    returncode: int
    stdout: str
    stderr: str


class Loaded:
    """A process that forks. Several commands may run at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_commands"],
            cwd=ROOT,
            env={"DJANGO_SETTINGS_MODULE": "newsroom.settings", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._popen.stdout is not None
        with self._popen.stdout as said:
            self._port = int(said.readline())

    def manage(self, *words: str) -> Ended:
        """A command of manage.py."""
        return self._ask("manage", *words)

    def script(self, text: str, *arguments: str) -> Ended:
        """A script, as `python -c` would run it."""
        return self._ask("script", text, *arguments)

    def _ask(self, *words: str) -> Ended:
        with socket.create_connection(("127.0.0.1", self._port)) as to:
            to.sendall(json.dumps(words).encode() + b"\n")
            with to.makefile() as answer:
                return Ended(*json.load(answer))

    def end(self) -> None:
        self._popen.kill()
        self._popen.wait()


# --- In the process itself -----------------------------------------------------------


def run_script(text: str, *arguments: str) -> None:
    sys.argv = ["-c", *arguments]
    exec(compile(text, "<script>", "exec"), {"__name__": "__main__"})


def run_manage(*words: str) -> None:
    ManagementUtility(["manage.py", *words]).execute()


KINDS: dict[str, Callable[..., None]] = {"manage": run_manage, "script": run_script}


def ran(kind: str, *words: str) -> Ended:
    """Runs it where we are, which is a fork."""
    said = [os.memfd_create(name) for name in ("stdout", "stderr")]
    for number, file in enumerate(said, start=1):
        os.dup2(file, number)
    code = 1
    try:
        KINDS[kind](*words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    connections.close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    return Ended(code, *(os.pread(file, os.fstat(file).st_size, 0).decode() for file in said))


class Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        answer = ran(*json.loads(self.rfile.readline()))
        self.wfile.write(json.dumps(answer).encode())


class Forks(socketserver.ForkingMixIn, socketserver.TCPServer):
    """Ends with whoever started it."""

    parent = os.getppid()

    def service_actions(self) -> None:
        super().service_actions()
        if os.getppid() != self.parent:
            sys.exit()


if __name__ == "__main__":
    django.setup()
    with Forks(("127.0.0.1", 0), Request) as forks, contextlib.suppress(KeyboardInterrupt):
        print(forks.server_address[1], flush=True)
        forks.serve_forever()
