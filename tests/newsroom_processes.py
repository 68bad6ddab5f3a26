"""A whole newsroom in processes: those of the Procfile, with their own database and broker."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

import psycopg
import redis

from demo.mail_catcher.catcher import Catcher
from demo.process_manager import Process
from tests import database_templates
from tests.forked_commands import ForkServer
from tests.needles import SeizedItem, files_below
from tests.services import (
    MIGRATED_DATABASE,
    PostgreSQL,
    Redis,
    free_port,
    listens,
    program,
    wait_for,
)

ROOT = Path(__file__).resolve().parents[1]
QUEUES = ("letters", "sign-ups", "background")


SCRIPT_START = "import json, sys\nanswer = None\n"
SCRIPT_END = "print(json.dumps(answer, default=str))"


class WebResponse(NamedTuple):
    """The response of a web process."""

    status: int
    page: str
    location: str = ""
    """The header Location."""


class Stores(Protocol):
    """A database and a broker, and everything they leave on disk."""

    environment: dict[str, str]
    queue_files: str
    """A part of the path of the broker's files only."""

    def query(self, sql: str) -> list[Any]: ...

    def messages(self) -> list[dict[str, Any]]:
        """The messages that wait on the broker."""
        ...

    def break_broker(self) -> None: ...

    def mend_broker(self) -> None: ...

    def seize(self) -> Iterator[SeizedItem]:
        """Files outside of VAR_DIR, and dumps of the stores."""
        ...


class Embedded:
    """SQLite, migrated, and Celery's filesystem broker, below VAR_DIR."""

    queue_files = "/broker/"

    def __init__(self, var_dir: Path) -> None:
        self.environment: dict[str, str] = {}
        self.database = var_dir / "newsroom.sqlite3"
        self.broker, self.away = var_dir / "broker", var_dir / "broker-away"
        var_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(database_templates.migrated_sqlite(), self.database)

    def query(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection:
            rows = connection.execute(sql).fetchall()
            connection.commit()
            return rows

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in self.broker.glob("*.msg")]

    def break_broker(self) -> None:
        self.broker.rename(self.away)
        self.broker.touch()

    def mend_broker(self) -> None:
        self.broker.unlink()
        self.away.rename(self.broker)

    def seize(self) -> Iterator[SeizedItem]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection:
            yield SeizedItem("dump", "\n".join(connection.iterdump()).encode())


class Servers:
    """PostgreSQL with a migrated database, and Redis."""

    queue_files = "/appendonlydir/"

    def __init__(self, postgresql: PostgreSQL, server: Redis, name: str = "newsroom") -> None:
        self.postgresql, self.redis = postgresql, server
        self.database_url = postgresql.create(name, template=MIGRATED_DATABASE)
        self.environment = {"DATABASE_URL": self.database_url, "BROKER_URL": server.url}

    def query(self, sql: str) -> list[Any]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def messages(self) -> list[dict[str, Any]]:
        with redis.Redis.from_url(self.redis.url) as client:
            waiting = [one for queue in QUEUES for one in client.lrange(queue, 0, -1)]
            return [json.loads(message) for message in waiting]

    def break_broker(self) -> None:
        self.redis.kill()

    def mend_broker(self) -> None:
        self.redis.start()

    def seize(self) -> Iterator[SeizedItem]:
        self.query("CHECKPOINT")
        dump = [program("pg_dump"), "--no-owner", self.database_url]
        yield SeizedItem("dump", subprocess.run(dump, capture_output=True, check=True).stdout)
        with redis.Redis.from_url(self.redis.url) as client:
            for key in client.scan_iter():
                value = {
                    b"list": lambda key: client.lrange(key, 0, -1),
                    b"set": client.smembers,
                    b"zset": lambda key: client.zrange(key, 0, -1),
                    b"hash": client.hgetall,
                    b"string": client.get,
                }[client.type(key)](key)
                yield SeizedItem(f"Redis {key!r}", key + b"\n" + repr(value).encode())
        yield from files_below(self.postgresql.folder, self.redis.folder)


@dataclass
class NewsroomProcesses:
    """Processes, started by their names in the Procfile."""

    folder: Path
    stores: Stores
    relay: Catcher
    keys_dir: Path
    port: int = field(default_factory=free_port)
    running: dict[str, Process] = field(default_factory=dict)
    _loaded: ForkServer | None = None
    _loading: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.var_dir, self.temporary = self.folder / "var", self.folder / "tmp"
        self.log_dir = self.var_dir / "log"
        for made in (self.log_dir, self.temporary, self.folder / "home"):
            made.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "DJANGO_SETTINGS_MODULE": "newsroom.settings",
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "WORKER_KEY_FILE": str(self.keys_dir / "worker.key"),
            "INTAKE_KEY_FILE": str(self.keys_dir / "intake.pub"),
            "LINKS_KEY_FILE": str(self.keys_dir / "links.key"),
            "RELAY_URL": f"smtp://127.0.0.1:{self.relay.smtp_port}",
            "RELAY_TIMEOUT": "10",
            **self.stores.environment,
        }

    def manage(self, *arguments: str) -> str:
        """Runs `manage.py` and returns its output."""
        ended = self.loaded().manage(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def python(self, script: str, *arguments: object) -> Any:
        """Runs a script with this environment, and returns its variable `answer`."""
        whole = f"{SCRIPT_START}{script}\n{SCRIPT_END}"
        ended = self.loaded().script(whole, *map(str, arguments))
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])

    def loaded(self) -> ForkServer:
        """A process that forks commands, with this environment. Thread-safe."""
        with self._loading:
            if self._loaded is None or self._loaded.environment != self.environment:
                self._unload()
                self._loaded = ForkServer(self.environment)
            return self._loaded

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded.end()
            self._loaded = None

    def start(self, name: str, *options: str) -> None:
        """Starts a process of the Procfile, with additional options.

        A worker serves every queue, unless the intake worker is running too.
        """
        procfile = (ROOT / "Procfile").read_text().splitlines()
        named = dict(line.split(": ", 1) for line in procfile)
        command = shlex.split(named[name].replace("$PORT", str(self.port)))
        log = f"{name}-again" if options else name
        if name == "worker" and "intake" not in self.running:
            command += ["--queues", ",".join(QUEUES)]
        self.running[name] = Process(log, [*command, *options], self.environment, self.log_dir)
        if name == "web":
            wait_for(lambda: listens(self.port), "the web process")

    def stop(self, *names: str) -> None:
        """All of them if none is named."""
        stopping = [self.running.pop(name) for name in names or tuple(self.running)]
        for process in stopping:
            process.terminate()
        for process in stopping:
            process.wait_or_kill()
        if not names:
            self._unload()

    def kill(self, *names: str) -> None:
        """SIGKILLs the process groups; all of them if none is named."""
        for name in names or tuple(self.running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running[name].pid, signal.SIGKILL)
        self.stop(*names)

    def log(self, name: str) -> str:
        return (self.log_dir / f"{name}.log").read_text(encoding="utf-8")

    def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        *,
        source: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> WebResponse:
        """A visitor's request from a loopback address."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(source, 0)
        )
        sent = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        with contextlib.closing(connection):
            # A response to a body that is too large comes before all of it was sent.
            with contextlib.suppress(BrokenPipeError):
                connection.request(
                    method,
                    path,
                    urlencode(form) if form else body,
                    {**sent, **(headers or {})},
                )
            answer = connection.getresponse()
            location = answer.getheader("Location") or ""
            return WebResponse(answer.status, answer.read().decode(), location)

    def seize(self) -> Iterator[SeizedItem]:
        """Everything but the keys, and letters at the relay, which is not part of the newsroom."""
        yield from self.stores.seize()
        yield from files_below(self.var_dir, self.temporary, self.folder / "home")


@contextlib.contextmanager
def running_newsroom(
    folder: Path, stores: Stores, relay: Catcher, keys_dir: Path
) -> Iterator[NewsroomProcesses]:
    """Stops all processes at the end."""
    built = NewsroomProcesses(folder, stores, relay, keys_dir)
    try:
        yield built
    finally:
        built.stop()
