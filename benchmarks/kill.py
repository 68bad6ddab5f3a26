"""Kills whatever takes part in a sending, at random moments, and looks who got what.

    python benchmarks/kill.py [--seeds 20] [--first-seed 1] [--letters 2000] [--connections 4]
        [--workers 1] [--database postgres|sqlite] [--json]

A real Celery worker, Redis, PostgreSQL, and an SMTP server that writes each letter down before it
answers (`sink.py`). For each seed a mailing is sent; on its way a child of the worker, the whole
worker, Redis, PostgreSQL or the SMTP server is killed (SIGKILL) and started again, or the worker is
told to stop (SIGTERM), and the mailing is paused and resumed. With `--database sqlite` there is no
server to kill: SQLite and the filesystem broker. Then whatever is left recovers as it would in
production: by the tick, once the leases of dead lanes are over. Nothing may be lost or doubled, at
most one reader for each connection that was open when something was killed may be uncertain, nobody
for a worker that was told to stop, and the ledger balances whenever it is looked at. Ends with 1 if
that is not so.

A seed takes a minute or two, most of it waiting for leases, so several runs with other seeds may go
at once.
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
SECONDS_A_LETTER = 0.008
"""The SMTP server's, so that a sending takes some seconds."""
WITHIN = 600
"""Seconds for one seed: leases and waits for another try take most of them."""
STOP_WITHIN = 60
"""Seconds that a worker has for ending what it has begun; it is killed after that."""
EACH = 0.5
"""Seconds between two ticks; in production it is a minute."""


@dataclass
class Verdict:
    """What one seed came to."""

    seed: int
    lost: int = 0
    doubled: int = 0
    unfounded: int = 0
    """Letters that the ledger calls sent and nobody has."""
    unknown: int = 0
    """Letters that somebody has and the ledger knows nothing of."""
    sent: int = 0
    uncertain: int = 0
    connections: int = 0
    """That were open when something was killed: so many may be uncertain."""
    balanced: bool = True
    seconds: int = 0
    kills: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Promises 6.1 and 6.2."""
        wrong = self.lost + self.doubled + self.unfounded + self.unknown
        return not wrong and self.balanced and self.uncertain <= self.connections


def judge(verdict: Verdict, rows: dict[str, str], letters: list[str]) -> Verdict:
    """`rows`: each reader's status in the ledger. `letters`: who got one, as often as they did."""
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
    """Open just now to that port, by /proc/net/tcp: all, or those that these processes hold."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ours = (line.split() for line in lines)
    sockets = [one[9] for one in ours if one[2].endswith(f":{port:04X}") and one[3] == "01"]
    if of is None:
        return len(sockets)
    held = {file for pid in of for file in files_of(pid)}
    return sum(1 for inode in sockets if f"socket:[{inode}]" in held)


def files_of(pid: int) -> Iterator[str]:
    """What it has open; of one that has ended, nothing."""
    for number in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            yield os.readlink(number)


class Worker:
    """As the Procfile starts it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.generation = name, folder, 0
        self.begun: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}-{self.generation}.log"

    def start(self) -> None:
        """Does not wait: whatever else works goes on meanwhile."""
        lines = (ROOT / "Procfile").read_text().splitlines()
        command = shlex.split(dict(line.split(": ", 1) for line in lines)["worker"])
        self.generation += 1
        with self.log.open("wb") as out:
            named = [*command, "--hostname", f"{self.name}-{self.generation}@localhost"]
            self.begun.append(subprocess.Popen(named, cwd=ROOT, stdout=out, stderr=out))

    def children(self) -> list[int]:
        return children_of(self.begun[-1].pid)

    def pids(self) -> list[int]:
        """The parent's and its children's."""
        return [self.begun[-1].pid, *self.children()]

    def stop(self) -> None:
        """As an administrator does; it ends what it has begun."""
        self.begun[-1].terminate()

    def has_stopped(self) -> bool:
        """All but the one that was started last."""
        return all(process.poll() is not None for process in self.begun[:-1])

    def kill(self) -> None:
        """All of them; a worker's children die with it."""
        for process in self.begun:
            process.kill()
        for process in self.begun:
            process.wait()


@dataclass
class House:
    """All that can be killed."""

    servers: dict[str, Server]
    sink: Sink
    workers: list[Worker]

    def kill_something(self, choose: random.Random, verdict: Verdict) -> None:
        """And starts it again."""
        way = choose.choice(["child", "worker", "stop", "sink", *self.servers])
        verdict.kills.append(way)
        # One that is starting just now has no children yet.
        at_work = [worker for worker in self.workers if worker.children()]
        worker = choose.choice(at_work or self.workers)
        if way == "child":
            verdict.connections += self._kill_frozen(self._busiest(worker.children()))
        elif way == "worker":
            verdict.connections += self._kill_frozen(worker.pids())
            worker.start()
        elif way == "stop":
            worker.stop()
            worker.start()
        else:
            if way != "redis":
                verdict.connections += connections(self.sink.port)
            server = self.sink if way == "sink" else self.servers[way]
            server.kill()
            server.start()

    def _busiest(self, pids: list[int]) -> list[int]:
        """The one with most connections, if there is one at all."""
        return sorted(pids, key=lambda pid: connections(self.sink.port, [pid]))[-1:]

    def _kill_frozen(self, pids: list[int]) -> int:
        """How many connections these processes had, counted while nothing moves."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        held = connections(self.sink.port, pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return held


def tick() -> None:
    """What beat asks for each minute. Something may be away: then the next one does it."""
    from django.db import DatabaseError, InterfaceError, connection

    from newsletter.tasks import tick as real_tick

    try:
        real_tick()
    except (DatabaseError, InterfaceError):
        connection.close()


def look(mailing_id: int, readers: int, verdict: Verdict) -> str:
    """The mailing's status; notes a ledger that does not balance."""
    from newsletter.campaigns import lifecycle as mailings
    from newsletter.models import Mailing

    mailing = Mailing.objects.get(pk=mailing_id)
    counts = mailings.ledger(mailing)
    verdict.balanced &= counts.balances and counts.audience == readers
    return str(mailing.status)


def pause_and_resume(mailing_id: int, choose: random.Random, verdict: Verdict) -> None:
    """If it is being sent just now."""
    from django.utils import timezone

    from core.states import InvalidTransition
    from newsletter.campaigns import lifecycle as mailings
    from newsletter.models import Mailing

    mailing = Mailing.objects.get(pk=mailing_id)
    with contextlib.suppress(InvalidTransition):
        mailings.pause(mailing, timezone.now())
        verdict.kills.append("pause")
        time.sleep(choose.random() / 2)
        mailings.resume(mailing, timezone.now())


def play(house: House, seed: int, readers: int) -> Verdict:
    """One mailing, with everything that happens on its way."""
    from django.db import DatabaseError, InterfaceError, connection
    from django.utils import timezone

    from newsletter.campaigns import lifecycle as mailings
    from newsletter.models import Mailing
    from newsletter.tasks import enqueue_lanes

    choose, verdict, began = random.Random(seed), Verdict(seed), time.monotonic()
    house.sink.file.write_text("")
    mailing = Mailing.objects.not_begun().order_by("pk")[0]
    mailings.launch(mailing, timezone.now())
    enqueue_lanes(mailing)
    moments = sorted(choose.sample(range(1, readers), KILLS_A_SEED))
    ticked_at, status = time.monotonic(), ""
    while status != "sent":
        if time.monotonic() - began > WITHIN:
            verdict.balanced = False
            verdict.kills.append(f"not over after {WITHIN} s")
            break
        if moments and len(house.sink.recipients()) >= moments[0]:
            moments.pop(0)
            house.kill_something(choose, verdict)
            if choose.random() < 0.3:
                with contextlib.suppress(DatabaseError, InterfaceError):
                    connection.close()
                    pause_and_resume(mailing.pk, choose, verdict)
        if time.monotonic() - ticked_at > EACH:
            tick()
            ticked_at = time.monotonic()
        try:
            status = look(mailing.pk, readers, verdict)
        except (DatabaseError, InterfaceError):
            connection.close()
        time.sleep(0.01)
    stopped = [worker.has_stopped for worker in house.workers]
    try:
        wait_for(
            lambda: all(has() for has in stopped), "the end of the stopped workers", STOP_WITHIN
        )
    except TimeoutError as late:
        verdict.balanced = False
        verdict.kills.append(str(late))
    verdict.seconds = round(time.monotonic() - began)
    return judge(verdict, rows_of(mailing.pk), house.sink.recipients())


def rows_of(mailing_id: int) -> dict[str, str]:
    """Each reader's address, which this process may open, and their row's status."""
    from keys import sealing
    from newsletter.models import Delivery

    keys = sealing.worker_keys()
    rows = Delivery.objects.filter(mailing=mailing_id).select_related("subscriber")
    return {row.subscriber.address(keys): row.status for row in rows if row.subscriber}


@contextlib.contextmanager
def servers(kind: str) -> Iterator[dict[str, Server]]:
    """A database and a broker, where these are servers."""
    if kind == "sqlite":
        yield {}
        return
    with running_postgresql() as postgresql, running_redis() as redis:
        os.environ |= {"DATABASE_URL": postgresql.url(), "BROKER_URL": redis.url}
        yield {"postgresql": postgresql, "redis": redis}


@contextlib.contextmanager
def running(chosen: argparse.Namespace, folder: Path) -> Iterator[House]:
    """Everything; ends it all, whatever happens."""
    with servers(chosen.database) as started:
        sink = Sink(folder, seconds=SECONDS_A_LETTER)
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
            yield House(started, sink, workers)
        finally:
            for worker in workers:
                worker.kill()
            sink.kill()


def main() -> None:
    """A line a seed; ends with 1 if one of them breaks a promise."""
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
    with tempfile.TemporaryDirectory(prefix="kill-") as name, running(chosen, Path(name)) as house:
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
            verdict = play(house, seed, chosen.letters)
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
