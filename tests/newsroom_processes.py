"""A whole newsroom in processes: what the Procfile names, on stores of its own."""

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
from tests.forked_commands import Loaded
from tests.needles import Straw, files_below
from tests.services import MIGRATED, PostgreSQL, Redis, free_port, listens, program, wait_for

ROOT = Path(__file__).resolve().parents[1]
QUEUES = ("letters", "sign-ups", "background")


BEFORE = "import json, sys\nanswer = None\n"
BEHIND = "print(json.dumps(answer, default=str))"


class Answer(NamedTuple):
    """What a web process said."""

    status: int
    page: str
    location: str = ""
    """Where it leads to."""


class Stores(Protocol):
    """A database and a broker, and all that is left of them."""

    environment: dict[str, str]
    queue_files: str
    """A part of the path that only the broker's files have."""

    def query(self, sql: str) -> list[Any]: ...

    def messages(self) -> list[dict[str, Any]]:
        """What waits on the broker."""
        ...

    def break_broker(self) -> None: ...

    def mend_broker(self) -> None: ...

    def seize(self) -> Iterator[Straw]:
        """Files outside of VAR_DIR, and what the stores say for themselves."""
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

    def seize(self) -> Iterator[Straw]:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection:
            yield Straw("dump", "\n".join(connection.iterdump()).encode())


class Servers:
    """PostgreSQL with a migrated database, and Redis."""

    queue_files = "/appendonlydir/"

    def __init__(self, postgresql: PostgreSQL, server: Redis, name: str = "newsroom") -> None:
        self.postgresql, self.redis = postgresql, server
        self.database_url = postgresql.create(name, template=MIGRATED)
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

    def seize(self) -> Iterator[Straw]:
        self.query("CHECKPOINT")
        dump = [program("pg_dump"), "--no-owner", self.database_url]
        yield Straw("dump", subprocess.run(dump, capture_output=True, check=True).stdout)
        with redis.Redis.from_url(self.redis.url) as client:
            for key in client.scan_iter():
                value = {
                    b"list": lambda key: client.lrange(key, 0, -1),
                    b"set": client.smembers,
                    b"zset": lambda key: client.zrange(key, 0, -1),
                    b"hash": client.hgetall,
                    b"string": client.get,
                }[client.type(key)](key)
                yield Straw(f"Redis {key!r}", key + b"\n" + repr(value).encode())
        yield from files_below(self.postgresql.folder, self.redis.folder)


@dataclass
class House:
    """Its processes, started by their names in the Procfile."""

    folder: Path
    stores: Stores
    relay: Catcher
    keys_dir: Path
    port: int = field(default_factory=free_port)
    running: dict[str, Process] = field(default_factory=dict)
    _loaded: Loaded | None = None
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
        """Runs `manage.py` and returns what it says."""
        ended = self.loaded().manage(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def python(self, script: str, *arguments: object) -> Any:
        """Runs it in a process of the house, and returns what it calls `answer`."""
        whole = f"{BEFORE}{script}\n{BEHIND}"
        ended = self.loaded().script(whole, *map(str, arguments))
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout.splitlines()[-1])

    def loaded(self) -> Loaded:
        """A process with the house's environment; a relay's thread may ask for it too."""
        with self._loading:
            if self._loaded is None or self._loaded.environment != self.environment:
                self._unload()
                self._loaded = Loaded(self.environment)
            return self._loaded

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded.end()
            self._loaded = None

    def start(self, name: str, *options: str) -> None:
        """Starts what the Procfile has under this name, with options of the test's.

        One worker serves every queue, as it may, unless a test starts the Procfile's intake too.
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
            process.ask_to_stop()
        for process in stopping:
            process.wait_or_kill()
        if not names:
            self._unload()

    def kill(self, *names: str) -> None:
        """With SIGKILL, and with all that they have started; all of them if none is named."""
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
    ) -> Answer:
        """A reader's request from an address of this machine."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(source, 0)
        )
        sent = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        with contextlib.closing(connection):
            # What is too large is answered before all of it was sent.
            with contextlib.suppress(BrokenPipeError):
                connection.request(
                    method,
                    path,
                    urlencode(form) if form else body,
                    {**sent, **(headers or {})},
                )
            answer = connection.getresponse()
            location = answer.getheader("Location") or ""
            return Answer(answer.status, answer.read().decode(), location)

    def seize(self) -> Iterator[Straw]:
        """All of it but the keys. Letters are at the relay, which is somebody else's."""
        yield from self.stores.seize()
        yield from files_below(self.var_dir, self.temporary, self.folder / "home")


@contextlib.contextmanager
def house(folder: Path, stores: Stores, relay: Catcher, keys_dir: Path) -> Iterator[House]:
    """Ends whatever still runs."""
    built = House(folder, stores, relay, keys_dir)
    try:
        yield built
    finally:
        built.stop()
