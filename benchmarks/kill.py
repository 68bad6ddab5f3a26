"""Kills processes at random moments of a mailing, and checks who received what.

    python benchmarks/kill.py [--seeds 20] [--first-seed 1] [--letters 2000] [--connections 4]
        [--workers 1] [--database postgres|sqlite] [--json]

With a real Celery worker, Redis, PostgreSQL, and an SMTP server that stores each letter before it
replies (`sink.py`). For each seed a mailing is sent. Meanwhile a child of the worker, the worker,
Redis, PostgreSQL or the SMTP server is killed (SIGKILL) and restarted, or the worker is shut down
(SIGTERM), and the mailing is paused and resumed. `--database sqlite` uses SQLite and the filesystem
broker. Then the mailing recovers as in production: by the tick, once leases have expired.

The exit code is 1 if a letter is lost or sent twice, the ledger does not balance, a shutdown leaves
a subscriber uncertain, or a kill leaves more uncertain than connections were open.

A seed takes a minute or two, most of it waiting for leases, so several runs may go in parallel.
"""

# Django is set up once its database is there, and only then can the rest be imported.
# ruff: noqa: E402, PLC0415
from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks.send import set_up
from tests.services import (
    Server,
    Sink,
    children_of,
    running_postgresql,
    running_redis,
    wait_for,
)

KILLS_A_SEED = 5
LETTER_SECONDS = 0.008
"""The SMTP server's delay, so that a mailing takes some seconds."""
SEED_TIMEOUT_SECONDS = 600
"""Leases and retries take most of it."""
SHUTDOWN_TIMEOUT_SECONDS = 60
"""After that a worker that was told to stop is killed."""
TICK_SECONDS = 0.5
"""In production it is a minute."""


@dataclass
class Verdict:
    """The result of one seed."""

    seed: int
    lost: int = 0
    doubled: int = 0
    unfounded: int = 0
    """Letters that are sent in the ledger and that nobody received."""
    unknown: int = 0
    """Letters that somebody received and that are not sent in the ledger."""
    sent: int = 0
    uncertain: int = 0
    connections: int = 0
    """Open when something was killed: at most so many may be uncertain."""
    balanced: bool = True
    seconds: int = 0
    kills: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Guarantees 1 and 2."""
        wrong = self.lost + self.doubled + self.unfounded + self.unknown
        return not wrong and self.balanced and self.uncertain <= self.connections


def judge(verdict: Verdict, rows: dict[str, str], letters: list[str]) -> Verdict:
    """`rows`: each subscriber's status in the ledger. `letters`: each letter's recipient."""
    had = Counter(letters)
    # Nobody left, and the server refuses nobody: there is no other way not to have a letter.
    named = {"sent", "uncertain"}
    verdict.doubled = sum(1 for count in had.values() if count > 1)
    verdict.lost = sum(1 for one, status in rows.items() if one not in had and status not in named)
    verdict.unfounded = sum(
        1 for one, status in rows.items() if status == "sent" and one not in had
    )
    verdict.unknown = sum(1 for one in had if rows.get(one) not in {"sent", "uncertain"})
    verdict.sent = sum(1 for status in rows.values() if status == "sent")
    verdict.uncertain = sum(1 for status in rows.values() if status == "uncertain")
    return verdict


def connections(port: int, of: Collection[int] | None = None) -> int:
    """Established connections to the port, by /proc/net/tcp: all, or those of these processes."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ours = (line.split() for line in lines)
    sockets = [one[9] for one in ours if one[2].endswith(f":{port:04X}") and one[3] == "01"]
    if of is None:
        return len(sockets)
    held = {file for pid in of for file in files_of(pid)}
    return sum(1 for inode in sockets if f"socket:[{inode}]" in held)


def files_of(pid: int) -> Iterator[str]:
    """Its open files; none of a process that has ended."""
    for number in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            yield os.readlink(number)


class Worker:
    """A Celery worker, started as in the Procfile."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.generation = name, folder, 0
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}-{self.generation}.log"

    def start(self) -> None:
        """Does not wait until it is ready."""
        lines = (ROOT / "Procfile").read_text().splitlines()
        command = shlex.split(dict(line.split(": ", 1) for line in lines)["worker"])
        self.generation += 1
        with self.log.open("wb") as out:
            named = [*command, "--hostname", f"{self.name}-{self.generation}@localhost"]
            self.processes.append(subprocess.Popen(named, cwd=ROOT, stdout=out, stderr=out))

    def children(self) -> list[int]:
        return children_of(self.processes[-1].pid)

    def pids(self) -> list[int]:
        """Of the parent and its children."""
        return [self.processes[-1].pid, *self.children()]

    def stop(self) -> None:
        """Warm shutdown (SIGTERM): it ends the tasks that it has begun."""
        self.processes[-1].terminate()

    def has_stopped(self) -> bool:
        """Whether all but the last one have ended."""
        return all(process.poll() is not None for process in self.processes[:-1])

    def kill(self) -> None:
        """All processes; a worker's children die with it."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@dataclass
class Stack:
    """The running services that can be killed."""

    servers: dict[str, Server]
    sink: Sink
    workers: list[Worker]

    def kill_something(self, choose: random.Random, verdict: Verdict) -> None:
        """Kills one of them and starts it again."""
        target = choose.choice(["child", "worker", "stop", "sink", *self.servers])
        verdict.kills.append(target)
        # A worker that is still starting has no children.
        at_work = [worker for worker in self.workers if worker.children()]
        worker = choose.choice(at_work or self.workers)
        if target == "child":
            verdict.connections += self._kill_frozen(self._busiest(worker.children()))
        elif target == "worker":
            verdict.connections += self._kill_frozen(worker.pids())
            worker.start()
        elif target == "stop":
            worker.stop()
            worker.start()
        else:
            if target != "redis":
                verdict.connections += connections(self.sink.port)
            server = self.sink if target == "sink" else self.servers[target]
            server.kill()
            server.start()

    def _busiest(self, pids: list[int]) -> list[int]:
        """The one with the most connections, if there is any."""
        return sorted(pids, key=lambda pid: connections(self.sink.port, [pid]))[-1:]

    def _kill_frozen(self, pids: list[int]) -> int:
        """Stops them, counts their connections, and kills them."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        held = connections(self.sink.port, pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return held


def tick() -> None:
    """What beat does each minute. If the database is down, the next tick does it."""
    from django.db import DatabaseError, InterfaceError, connection

    from newsletter.tasks import tick as real_tick

    try:
        real_tick()
    except (DatabaseError, InterfaceError):
        connection.close()


def check_ledger(mailing_id: int, readers: int, verdict: Verdict) -> str:
    """The mailing's status; records if its ledger does not balance."""
    from newsletter.campaigns import lifecycle
    from newsletter.models import Mailing

    mailing = Mailing.objects.get(pk=mailing_id)
    counts = lifecycle.ledger(mailing)
    verdict.balanced &= counts.balances and counts.audience == readers
    return str(mailing.status)


def pause_and_resume(mailing_id: int, choose: random.Random, verdict: Verdict) -> None:
    """If it is sending just now."""
    from django.utils import timezone

    from core.states import InvalidTransition
    from newsletter.campaigns import lifecycle
    from newsletter.models import Mailing

    mailing = Mailing.objects.get(pk=mailing_id)
    with contextlib.suppress(InvalidTransition):
        lifecycle.pause(mailing, timezone.now())
        verdict.kills.append("pause")
        time.sleep(choose.random() / 2)
        lifecycle.resume(mailing, timezone.now())


def run_seed(stack: Stack, seed: int, readers: int) -> Verdict:
    """Sends one mailing, with kills at random moments."""
    from django.db import DatabaseError, InterfaceError, connection
    from django.utils import timezone

    from newsletter.campaigns import lifecycle
    from newsletter.models import Mailing
    from newsletter.tasks import enqueue_lanes

    choose, verdict, began = random.Random(seed), Verdict(seed), time.monotonic()
    stack.sink.file.write_text("")
    mailing = Mailing.objects.not_begun().order_by("pk")[0]
    lifecycle.launch(mailing, timezone.now())
    enqueue_lanes(mailing)
    moments = sorted(choose.sample(range(1, readers), KILLS_A_SEED))
    ticked_at, status = time.monotonic(), ""
    while status != "sent":
        if time.monotonic() - began > SEED_TIMEOUT_SECONDS:
            verdict.balanced = False
            verdict.kills.append(f"not sent after {SEED_TIMEOUT_SECONDS} s")
            break
        if moments and len(stack.sink.recipients()) >= moments[0]:
            moments.pop(0)
            stack.kill_something(choose, verdict)
            if choose.random() < 0.3:
                with contextlib.suppress(DatabaseError, InterfaceError):
                    connection.close()
                    pause_and_resume(mailing.pk, choose, verdict)
        if time.monotonic() - ticked_at > TICK_SECONDS:
            tick()
            ticked_at = time.monotonic()
        try:
            status = check_ledger(mailing.pk, readers, verdict)
        except (DatabaseError, InterfaceError):
            connection.close()
        time.sleep(0.01)
    stopped = [worker.has_stopped for worker in stack.workers]
    try:
        wait_for(
            lambda: all(has() for has in stopped),
            "the shutdown of the stopped workers",
            SHUTDOWN_TIMEOUT_SECONDS,
        )
    except TimeoutError as late:
        verdict.balanced = False
        verdict.kills.append(str(late))
    verdict.seconds = round(time.monotonic() - began)
    return judge(verdict, rows_of(mailing.pk), stack.sink.recipients())


def rows_of(mailing_id: int) -> dict[str, str]:
    """The delivery status by address."""
    from keys import sealing
    from newsletter.models import Delivery

    keys = sealing.worker_keys()
    rows = Delivery.objects.filter(mailing=mailing_id).select_related("subscriber")
    return {row.subscriber.address(keys): row.status for row in rows if row.subscriber}


@contextlib.contextmanager
def servers(kind: str) -> Iterator[dict[str, Server]]:
    """PostgreSQL and Redis, unless the kind is sqlite."""
    if kind == "sqlite":
        yield {}
        return
    with running_postgresql() as postgresql, running_redis() as redis:
        os.environ |= {"DATABASE_URL": postgresql.url(), "BROKER_URL": redis.url}
        yield {"postgresql": postgresql, "redis": redis}


@contextlib.contextmanager
def running(chosen: argparse.Namespace, folder: Path) -> Iterator[Stack]:
    """The whole stack, ended on exit."""
    with servers(chosen.database) as started:
        sink = Sink(folder, seconds=LETTER_SECONDS)
        os.environ |= {
            "VAR_DIR": str(folder),
            "RELAY_URL": f"smtp://127.0.0.1:{sink.port}",
            "RELAY_TIMEOUT": "1",
            "CONNECTIONS": str(chosen.connections),
        }
        import django

        django.setup()
        set_up(chosen.letters, 4, chosen.seeds)
        workers = [Worker(f"w{number}", folder) for number in range(chosen.workers)]
        try:
            sink.start()
            for worker in workers:
                worker.start()
            for worker in workers:
                wait_for(lambda log=worker.log: b"ready." in log.read_bytes(), "a worker", 60)
            yield Stack(started, sink, workers)
        finally:
            for worker in workers:
                worker.kill()
            sink.kill()


def main() -> None:
    """Prints a line per seed; exits with 1 if one of them breaks a guarantee."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--first-seed", type=int, default=1)
    arguments.add_argument("--letters", type=int, default=2000)
    arguments.add_argument("--connections", type=int, default=4)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="kill-") as name, running(chosen, Path(name)) as stack:
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            verdict = run_seed(stack, seed, chosen.letters)
            verdicts.append(verdict)
            if chosen.json:
                print(json.dumps({**asdict(verdict), "holds": verdict.holds}), flush=True)
            else:
                print(
                    f"seed {seed}: lost {verdict.lost}, doubled {verdict.doubled}, uncertain "
                    f"{verdict.uncertain} of {verdict.connections} connections, sent "
                    f"{verdict.sent}, unfounded {verdict.unfounded}, unknown {verdict.unknown}, "
                    f"{'balanced' if verdict.balanced else 'NOT BALANCED'}, {verdict.seconds} s: "
                    f"{', '.join(verdict.kills)}{'' if verdict.holds else '  << BROKEN'}",
                    flush=True,
                )
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()
