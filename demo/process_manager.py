"""Starts processes together, says why one ended, and ends them all, whatever happens."""

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

READY_WITHIN = 60
"""Seconds until a process has to answer."""
STOPPED_WITHIN = 15
"""Seconds for a process to end by itself before it is killed."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotRun(Exception):
    """Something that whoever started us can mend; says what."""


class Stopped(Exception):
    """Ctrl-C, or a polite request to end."""


def stop_politely() -> None:
    """From now on a request to end raises Stopped."""
    for number in STOP_SIGNALS:
        signal.signal(number, _stop)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not cut short the ending of the others.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def check_free(ports: Mapping[str, int]) -> None:
    """Raises CannotRun for a port that somebody listens on."""
    for purpose, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise CannotRun(
                    f"Port {port} ({purpose}) is taken. Is this running already? If not, choose "
                    "another with PORT=, such as PORT=8100; the two ports after it are used too."
                ) from None


class Process:
    """One process of ours, in a group of its own, its output in a file."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log_dir: Path) -> None:
        self.name = name
        self.log = log_dir / f"{name}.log"
        with self.log.open("wb") as log:
            # A group of its own, so that Ctrl-C reaches us alone and we stop it in order.
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
        """Raises CannotRun with the end of its log."""
        code = self._popen.poll()
        if code is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise CannotRun(f"{self.name} ended with {code}. The end of {self.log}:\n{tail}")

    def ask_to_stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.terminate()

    def wait_or_kill(self) -> None:
        """Gives it its time, then ends whatever is left of its group."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOPPED_WITHIN)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()


@contextlib.contextmanager
def running(
    commands: Mapping[str, list[str]], env: dict[str, str], log_dir: Path
) -> Iterator[list[Process]]:
    """Starts the processes and ends them all, whatever happens in between."""
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    processes: list[Process] = []
    try:
        for name, command in commands.items():
            processes.append(Process(name, command, env, log_dir))
        yield processes
    finally:
        for process in reversed(processes):
            process.ask_to_stop()
        for process in processes:
            process.wait_or_kill()


def wait_for_answer(url: str, processes: list[Process]) -> None:
    """Until the page answers at all; a process that ends meanwhile says why."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        check_all(processes)
        try:
            with urlopen(url, timeout=5):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise CannotRun(f"{url} does not answer after {READY_WITHIN} seconds. See the logs.")


def check_all(processes: list[Process]) -> None:
    """Raises CannotRun if one has ended."""
    for process in processes:
        process.check_alive()


def watch(processes: list[Process]) -> NoReturn:
    """Until we are stopped, or one of them ends by itself."""
    while True:
        check_all(processes)
        time.sleep(0.5)
