"""Runs management commands in forks of a process that has loaded Django: two seconds less each."""

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


class CommandResult(NamedTuple):
    """Exit status and output."""

    returncode: int
    stdout: str
    stderr: str


class ForkServer:
    """A process that forks; commands may run concurrently."""

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
        with self._popen.stdout as output:
            self._port = int(output.readline())

    def manage(self, *words: str) -> CommandResult:
        """A command of manage.py."""
        return self._request("manage", *words)

    def script(self, text: str, *arguments: str) -> CommandResult:
        """A script, as `python -c` would run it."""
        return self._request("script", text, *arguments)

    def _request(self, *words: str) -> CommandResult:
        with socket.create_connection(("127.0.0.1", self._port)) as connection:
            connection.sendall(json.dumps(words).encode() + b"\n")
            with connection.makefile() as answer:
                return CommandResult(*json.load(answer))

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


def run(kind: str, *words: str) -> CommandResult:
    """Runs it in this process, which is a fork."""
    outputs = [os.memfd_create(name) for name in ("stdout", "stderr")]
    for number, file in enumerate(outputs, start=1):
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
    return CommandResult(
        code, *(os.pread(file, os.fstat(file).st_size, 0).decode() for file in outputs)
    )


class Request(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        answer = run(*json.loads(self.rfile.readline()))
        self.wfile.write(json.dumps(answer).encode())


class Forks(socketserver.ForkingMixIn, socketserver.TCPServer):
    """Exits with its parent."""

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
