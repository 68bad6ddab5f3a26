"""Private servers for the tests that need the real thing, on free ports, gone afterwards.

A test whose program is not installed is skipped with a reason that says how to get it; where
REQUIRE_SERVICES is set, as in CI, it fails instead.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from newsroom.database_roles import WEB, WORKER
from tests import database_templates

ROOT = Path(__file__).resolve().parents[1]
MIGRATED = "migrated"
"""A database of every PostgreSQL that tests start, to be copied."""
DEBIAN_PACKAGES = {"postgres": "postgresql"}
"""Where it is not the program's own name."""


class Missing(Exception):
    """A program that is not installed, and how to get it."""


def program(name: str) -> str:
    """The program's path. Debian keeps PostgreSQL's own outside of PATH.

    Raises Missing.
    """
    places = [
        os.environ.get("PATH", ""),
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
    ]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        package = DEBIAN_PACKAGES.get(name, name)
        raise Missing(f"{name} is not installed: make services (Debian's package {package})")
    return found


def skip_or_fail(missing: Missing) -> None:
    """Skips the test; in CI a missing service is a failure."""
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Asks until it is ready; raises TimeoutError naming what was not."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready within {seconds} seconds")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def children_of(pid: int) -> list[int]:
    """Out of /proc, since a bare machine may have no ps."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The name stands in brackets and may hold anything; the parent is the second after.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(stat.parent.name))
    return found


def database_url(connection: BaseDatabaseWrapper) -> str:
    """A test's own database, for another process to be given as DATABASE_URL."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def fill(disk: Path) -> Path:
    """Leaves not a byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(disk).f_bavail == 0
    return ballast


class Server:
    """A server in a process and a folder of its own, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def user(self) -> str | None:
        """Whom it runs as, where that is not us."""
        return None

    def start(self) -> None:
        """Returns once it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                user=self.user(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._has_started, type(self).__name__)

    def _has_started(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            said = (self.folder / "log").read_text(errors="replace")[-1000:]
            raise RuntimeError(f"{type(self).__name__} ended at its start: {said}")
        return self.is_ready()

    def is_ready(self) -> bool:
        return listens(self.port)

    def end(self, how: signal.Signals) -> None:
        """Ends it and waits until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.process = None

    def kill(self) -> None:
        self.end(signal.SIGKILL)


class Redis(Server):
    """Keeps everything that it is told, so that a killed one knows it again."""

    def command(self) -> list[str]:
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync always"
        return [program("redis-server"), *options.split(), "--dir", str(self.folder)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class Sink(Server):
    """An SMTP server that writes each letter down before it answers, so what it has is true.

    `seconds` is how long it takes over each. It kills itself once it has `dies_at` letters, if
    that is not 0, and before it answers the last.
    """

    def __init__(self, folder: Path, *, seconds: float = 0, dies_at: int = 0) -> None:
        super().__init__(folder)
        self.file, self.seconds, self.dies_at = folder / "letters", seconds, dies_at
        self.file.touch()

    @property
    def smtp_port(self) -> int:
        return self.port

    def command(self) -> list[str]:
        options = [self.port, self.file, self.seconds, self.dies_at]
        return [sys.executable, str(ROOT / "benchmarks" / "sink.py"), *map(str, options)]

    def recipients(self) -> list[str]:
        """Of each letter, in their order."""
        return [line.split()[0] for line in self.file.read_text().splitlines()]


class PostgreSQL(Server):
    """A new cluster with one superuser and no password, which only this machine can reach."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """Always durable across a killed server, which is what tests kill; `durable`: across a
        lost disk too, at the price of production."""
        super().__init__(folder)
        self.durable = durable

    def user(self) -> str | None:
        """It refuses to run as root."""
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    def initialise(self) -> None:
        """By a copy of one that has the database MIGRATED; whoever runs it owns it."""
        version = subprocess.run([program("postgres"), "-V"], capture_output=True, text=True).stdout
        made = database_templates.kept("postgresql", f"{version} {self.user()}", make_cluster)
        self._open_the_folder()
        subprocess.run(["cp", "-a", str(made), str(self.folder / "data")], check=True)

    def _open_the_folder(self) -> None:
        if self.user() is not None:
            self.folder.chmod(0o755)

    def initialise_anew(self) -> None:
        """With nothing in it."""
        self._open_the_folder()
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        user = self.user()
        if user is not None:
            shutil.chown(data, user)
        options = "-U newsroom -A trust -E UTF8 --locale C.UTF-8 --no-sync"
        subprocess.run(
            [program("initdb"), "-D", str(data), *options.split()],
            cwd="/",
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def command(self) -> list[str]:
        fsync = "on" if self.durable else "off"
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c fsync={fsync}"
        options += " -c unix_socket_directories= -c max_connections=60"
        return [program("postgres"), "-D", str(self.folder / "data"), *options.split()]

    def is_ready(self) -> bool:
        """Listening is not enough: after a kill it reads its log before it takes anybody in."""
        asked = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked).returncode == 0

    def kill(self) -> None:
        """Its children die with it, but not at once, and hold its memory until then."""
        children = children_of(self.process.pid) if self.process else []
        super().kill()
        wait_for(lambda: not any(map(_is_running, children)), "the end of PostgreSQL's children")

    def url(self, database: str = "postgres") -> str:
        return f"postgres://newsroom@127.0.0.1:{self.port}/{database}"

    def create_roles(self) -> None:
        """The web process's and the worker's; `migrate` gives them their rights."""
        for role in (WEB, WORKER):
            where = f"-h 127.0.0.1 -p {self.port} -U newsroom"
            subprocess.run([program("createuser"), *where.split(), role], check=True)

    def create(self, database: str, *, template: str = "template0") -> str:
        """A new database and its address: an empty one, or a copy."""
        where = f"-h 127.0.0.1 -p {self.port} -U newsroom -T {template}"
        subprocess.run([program("createdb"), *where.split(), database], check=True)
        return self.url(database)


def make_cluster(folder: Path) -> None:
    """For `prepared`, which keeps its one folder."""
    with folder_for("cluster") as work:
        cluster = PostgreSQL(work)
        cluster.initialise_anew()
        cluster.start()
        try:
            cluster.create_roles()
            database_templates.migrate(cluster.create(MIGRATED))
        finally:
            cluster.end(signal.SIGINT)
        subprocess.run(["cp", "-a", str(work / "data"), str(folder / "data")], check=True)


def _is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@contextlib.contextmanager
def folder_for(name: str) -> Iterator[Path]:
    """A folder that another user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(
        prefix=f"newsroom-{name}-", ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


@contextlib.contextmanager
def running_redis() -> Iterator[Redis]:
    """Raises Missing."""
    program("redis-server")
    with folder_for("redis") as folder:
        redis = Redis(folder)
        redis.start()
        try:
            yield redis
        finally:
            redis.end(signal.SIGTERM)


@contextlib.contextmanager
def running_postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """Raises Missing."""
    program("postgres")
    with folder_for("postgresql") as folder:
        postgresql = PostgreSQL(folder, durable=durable)
        postgresql.initialise()
        postgresql.start()
        try:
            yield postgresql
        finally:
            postgresql.end(signal.SIGINT)
