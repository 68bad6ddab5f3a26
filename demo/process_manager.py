"""Starts processes, reports one that exits, and stops them all in any case."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

STARTUP_TIMEOUT_SECONDS = 60
SHUTDOWN_TIMEOUT_SECONDS = 15
"""From SIGTERM to SIGKILL."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessError(Exception):
    """A process or port is unusable; says what to do."""


class StopRequested(Exception):
    """One of STOP_SIGNALS."""


def install_stop_handlers() -> None:
    """Raises StopRequested for STOP_SIGNALS."""
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the shutdown.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise StopRequested


def check_ports_free(ports: Mapping[str, int]) -> None:
    """Raises ProcessError for a port in use."""
    for purpose, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise ProcessError(
                    f"Port {port} ({purpose}) is taken. Is this running already? If not, choose "
                    "another with PORT=, such as PORT=8100; the two ports after it are used too."
                ) from None


class Process:
    """A process in its own group, with its output in a file."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log_dir: Path) -> None:
        self.name = name
        self.log = log_dir / f"{name}.log"
        with self.log.open("wb") as log:
            # A session of its own, so that Ctrl-C does not reach it.
            self._popen = subprocess.Popen(  # noqa: S603
                command,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def check_alive(self) -> None:
        """Raises ProcessError, with the end of its log, if it has exited."""
        code = self._popen.poll()
        if code is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise ProcessError(f"{self.name} ended with {code}. The end of {self.log}:\n{tail}")

    def terminate(self) -> None:
        if self._popen.poll() is None:
            self._popen.terminate()

    def wait_or_kill(self) -> None:
        """Waits, then kills its process group."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(SHUTDOWN_TIMEOUT_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()


@contextlib.contextmanager
def running(
    commands: Mapping[str, list[str]], env: dict[str, str], log_dir: Path
) -> Iterator[list[Process]]:
    """Starts the processes and stops them at the end of the block."""
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    processes: list[Process] = []
    try:
        for name, command in commands.items():
            processes.append(Process(name, command, env, log_dir))
        yield processes
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait_or_kill()


def wait_until_ready(url: str, processes: list[Process]) -> None:
    """Polls the URL. Raises ProcessError on timeout or if a process exits."""
    deadline = time.monotonic() + STARTUP_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        check_all(processes)
        try:
            with urlopen(url, timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise ProcessError(
        f"{url} does not answer after {STARTUP_TIMEOUT_SECONDS} seconds. See the logs."
    )


def check_all(processes: list[Process]) -> None:
    """Raises ProcessError if one has exited."""
    for process in processes:
        process.check_alive()


def wait_until_stopped(processes: list[Process]) -> NoReturn:
    """Returns never; raises StopRequested, or ProcessError if a process exits."""
    while True:
        check_all(processes)
        time.sleep(0.5)
