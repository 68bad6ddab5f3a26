"""Real servers for tests, on free ports.

A test whose program is not installed is skipped, or fails if REQUIRE_SERVICES is set, as in CI.
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

from newsroom.database_roles import WEB_ROLE, WORKER_ROLE
from tests import database_templates

ROOT = Path(__file__).resolve().parents[1]
MIGRATED_DATABASE = "migrated"
"""The template database of every PostgreSQL that tests start."""
DEBIAN_PACKAGES = {"postgres": "postgresql"}
"""Packages that are not named like the program."""


class ServiceNotInstalled(Exception):
    """A program is not installed; says how to install it."""


def program(name: str) -> str:
    """The program's path, PostgreSQL's outside of PATH too. Raises ServiceNotInstalled."""
    directories = [
        os.environ.get("PATH", ""),
        *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))),
    ]
    found = shutil.which(name, path=os.pathsep.join(directories))
    if found is None:
        package = DEBIAN_PACKAGES.get(name, name)
        raise ServiceNotInstalled(
            f"{name} is not installed: make services (Debian's package {package})"
        )
    return found


def skip_or_fail(missing: ServiceNotInstalled) -> None:
    """Skips the test; in CI a missing service is a failure."""
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Polls until ready. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready within {seconds} seconds")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def children_of(pid: int) -> list[int]:
    """From /proc, since ps may not be installed."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The second field after the name, which is in brackets: proc(5).
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(stat.parent.name))
    return found


def database_url(connection: BaseDatabaseWrapper) -> str:
    """The test database as DATABASE_URL."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


def fill_disk(disk: Path) -> Path:
    """Fills the file system; returns the file."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(disk).f_bavail == 0
    return ballast


class Server:
    """A server with its own folder, which can be killed and restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def user(self) -> str | None:
        """The user that it runs as; None for the current one."""
        return None

    def start(self) -> None:
        """Returns once it accepts connections."""
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
            log = (self.folder / "log").read_text(errors="replace")[-1000:]
            raise RuntimeError(f"{type(self).__name__} exited at its start: {log}")
        return self.is_ready()

    def is_ready(self) -> bool:
        return listens(self.port)

    def end(self, number: signal.Signals) -> None:
        """Sends the signal and waits for the exit."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(30)
        self.process = None

    def kill(self) -> None:
        self.end(signal.SIGKILL)


class Redis(Server):
    """With an append-only file, so that a killed one loses nothing."""

    def command(self) -> list[str]:
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync always"
        return [program("redis-server"), *options.split(), "--dir", str(self.folder)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class Sink(Server):
    """An SMTP server that records each letter before its reply.

    `seconds` is the delay per letter. It kills itself before the reply to letter number `dies_at`,
    if that is not 0.
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
        """Of each letter, in order."""
        return [line.split()[0] for line in self.file.read_text().splitlines()]


class PostgreSQL(Server):
    """A new cluster on 127.0.0.1, with one superuser and no password."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        """`durable` turns fsync on, which matters for a crashed host only."""
        super().__init__(folder)
        self.durable = durable

    def user(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    def initialise(self) -> None:
        """Copies a cached cluster that has the database MIGRATED_DATABASE."""
        version = subprocess.run([program("postgres"), "-V"], capture_output=True, text=True).stdout
        made = database_templates.cached_template(
            "postgresql", f"{version} {self.user()}", make_cluster
        )
        self._make_accessible()
        subprocess.run(["cp", "-a", str(made), str(self.folder / "data")], check=True)

    def _make_accessible(self) -> None:
        if self.user() is not None:
            self.folder.chmod(0o755)

    def run_initdb(self) -> None:
        """An empty cluster."""
        self._make_accessible()
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
        """pg_isready: after a crash it listens before it has recovered."""
        asked = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked).returncode == 0

    def kill(self) -> None:
        """Waits for its children too, which hold its shared memory."""
        children = children_of(self.process.pid) if self.process else []
        super().kill()
        wait_for(lambda: not any(map(_is_running, children)), "the end of PostgreSQL's children")

    def url(self, database: str = "postgres") -> str:
        return f"postgres://newsroom@127.0.0.1:{self.port}/{database}"

    def create_roles(self) -> None:
        """Creates the roles of web and worker; `migrate` grants their rights."""
        for role in (WEB_ROLE, WORKER_ROLE):
            where = f"-h 127.0.0.1 -p {self.port} -U newsroom"
            subprocess.run([program("createuser"), *where.split(), role], check=True)

    def create(self, database: str, *, template: str = "template0") -> str:
        """Creates a database; returns its URL."""
        where = f"-h 127.0.0.1 -p {self.port} -U newsroom -T {template}"
        subprocess.run([program("createdb"), *where.split(), database], check=True)
        return self.url(database)


def make_cluster(folder: Path) -> None:
    """For database_templates.cached_template."""
    with temporary_folder("cluster") as work:
        cluster = PostgreSQL(work)
        cluster.run_initdb()
        cluster.start()
        try:
            cluster.create_roles()
            database_templates.migrate(cluster.create(MIGRATED_DATABASE))
        finally:
            cluster.end(signal.SIGINT)
        subprocess.run(["cp", "-a", str(work / "data"), str(folder / "data")], check=True)


def _is_running(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@contextlib.contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(
        prefix=f"newsroom-{name}-", ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


@contextlib.contextmanager
def running_redis() -> Iterator[Redis]:
    """Raises ServiceNotInstalled."""
    program("redis-server")
    with temporary_folder("redis") as folder:
        redis = Redis(folder)
        redis.start()
        try:
            yield redis
        finally:
            redis.end(signal.SIGTERM)


@contextlib.contextmanager
def running_postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """Raises ServiceNotInstalled."""
    program("postgres")
    with temporary_folder("postgresql") as folder:
        postgresql = PostgreSQL(folder, durable=durable)
        postgresql.initialise()
        postgresql.start()
        try:
            yield postgresql
        finally:
            postgresql.end(signal.SIGINT)
