"""Kills whatever takes part in a sending, at random moments, and looks who got what.

    python benchmarks/kill.py [--seeds 20] [--first-seed 1] [--letters 2000] [--connections 4]
        [--workers 1] [--json]

A real Celery worker, Redis, PostgreSQL, and an SMTP server that writes each letter down before it
answers (`sink.py`). For each seed a mailing is sent; on its way a child of the worker, the whole
worker, Redis, PostgreSQL or the SMTP server is killed (SIGKILL) and started again, and the mailing
is paused and resumed. Then whatever is left recovers as it would in production: by the tick, once
the leases of dead lanes are over. Nothing may be lost or doubled, at most one reader for each
connection that was open when something was killed may be uncertain, and the ledger balances
whenever it is looked at. Ends with 1 if that is not so.
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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from send import set_up

from tests.services import (
    PostgreSQL,
    Redis,
    children_of,
    free_port,
    listens,
    running_postgresql,
    running_redis,
    wait_for,
)

KILLS_A_SEED = 5
SECONDS_A_LETTER = 0.008
"""The SMTP server's, so that a sending takes some seconds."""
WITHIN = 600
"""Seconds for one seed: leases and waits for another try take most of them."""
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
    named = {"sent", "uncertain", "failed", "excluded"}
    verdict.doubled = sum(1 for count in had.values() if count > 1)
    verdict.lost = sum(1 for one, status in rows.items() if one not in had and status not in named)
    verdict.unfounded = sum(
        1 for one, status in rows.items() if status == "sent" and one not in had
    )
    verdict.unknown = sum(1 for one in had if rows.get(one) not in {"sent", "uncertain"})
    verdict.sent = sum(1 for status in rows.values() if status == "sent")
    verdict.uncertain = sum(1 for status in rows.values() if status == "uncertain")
    return verdict


class Sink:
    """The SMTP server, and what it has written down."""

    def __init__(self, folder: Path) -> None:
        self.port, self.file = free_port(), folder / "letters"
        self.file.touch()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, str(ROOT / "benchmarks" / "sink.py"), str(self.port)]
        self.process = subprocess.Popen([*command, str(self.file), str(SECONDS_A_LETTER)])
        wait_for(lambda: listens(self.port), "the sink")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def letters(self) -> list[str]:
        return [line.split()[0] for line in self.file.read_text().splitlines()]

    def connections(self) -> int:
        """Open just now, by /proc/net/tcp: ours alone, told by the port they lead to."""
        port = f":{self.port:04X}"
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        established = (line.split() for line in lines)
        return sum(1 for one in established if one[2].endswith(port) and one[3] == "01")


class Worker:
    """As the Procfile starts it, in a session of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.process: subprocess.Popen[bytes] | None = None
        self.family: list[int] = []

    def start(self) -> None:
        lines = (ROOT / "Procfile").read_text().splitlines()
        command = shlex.split(dict(line.split(": ", 1) for line in lines)["worker"])
        log = self.folder / f"{self.name}.log"
        begins_at = log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            named = [*command, "--hostname", f"{self.name}@localhost"]
            self.process = subprocess.Popen(named, cwd=ROOT, stdout=out, stderr=out)
        wait_for(lambda: b"ready." in log.read_bytes()[begins_at:], "the worker", 60)

    def kill_child(self, choose: random.Random) -> None:
        if self.process is not None and (children := children_of(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(choose.choice(children), signal.SIGKILL)

    def kill(self) -> None:
        """The parent; its children are orphans until they notice."""
        if self.process is not None:
            self.family += children_of(self.process.pid)
            self.process.kill()
            self.process.wait()

    def end(self) -> None:
        """Them all, orphans included."""
        self.kill()
        for pid in self.family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class House:
    """All that can be killed."""

    postgresql: PostgreSQL
    redis: Redis
    sink: Sink
    workers: list[Worker]

    def kill_something(self, choose: random.Random, verdict: Verdict) -> None:
        """And starts it again."""
        worker = choose.choice(self.workers)
        ways: dict[str, Callable[[], None]] = {
            "child": lambda: worker.kill_child(choose),
            "worker": lambda: _again(worker),
            "redis": lambda: _again(self.redis),
            "postgresql": lambda: _again(self.postgresql),
            "sink": lambda: _again(self.sink),
        }
        way = choose.choice(list(ways))
        verdict.kills.append(way)
        if way != "redis":
            verdict.connections += self.sink.connections()
        ways[way]()


def _again(what: Any) -> None:
    what.kill()
    what.start()


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
    from newsletter import mailing as mailings
    from newsletter.models import Mailing

    mailing = Mailing.objects.get(pk=mailing_id)
    counts = mailings.ledger(mailing)
    verdict.balanced &= counts.balances and counts.audience == readers
    return str(mailing.status)


def pause_and_resume(mailing_id: int, choose: random.Random, verdict: Verdict) -> None:
    """If it is being sent just now."""
    from django.utils import timezone

    from newsletter import mailing as mailings
    from newsletter.models import Mailing, MailingStuck

    mailing = Mailing.objects.get(pk=mailing_id)
    with contextlib.suppress(MailingStuck):
        mailings.pause(mailing, timezone.now())
        verdict.kills.append("pause")
        time.sleep(choose.random() / 2)
        mailings.resume(mailing, timezone.now())


def play(house: House, seed: int, readers: int) -> Verdict:
    """One mailing, with everything that happens on its way."""
    from django.db import DatabaseError, InterfaceError, connection
    from django.utils import timezone

    from newsletter import mailing as mailings
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
        if moments and len(house.sink.letters()) >= moments[0]:
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
    verdict.seconds = round(time.monotonic() - began)
    return judge(verdict, rows_of(mailing.pk), house.sink.letters())


def rows_of(mailing_id: int) -> dict[str, str]:
    """Each reader's address, which this process may open, and their row's status."""
    from newsletter.models import Delivery
    from newsroom import sealing

    keys = sealing.worker_keys()
    rows = Delivery.objects.filter(mailing=mailing_id).select_related("subscriber")
    return {row.subscriber.address(keys): row.status for row in rows if row.subscriber}


@contextlib.contextmanager
def running(chosen: argparse.Namespace, folder: Path) -> Iterator[House]:
    """Everything; ends it all, whatever happens."""
    with running_postgresql() as postgresql, running_redis() as redis:
        sink = Sink(folder)
        os.environ |= {
            "DATABASE_URL": postgresql.url(),
            "BROKER_URL": redis.url,
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
            yield House(postgresql, redis, sink, workers)
        finally:
            for worker in workers:
                worker.end()
            sink.kill()


def main() -> None:
    """A line a seed; ends with 1 if one of them breaks a promise."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=20)
    arguments.add_argument("--first-seed", type=int, default=1)
    arguments.add_argument("--letters", type=int, default=2000)
    arguments.add_argument("--connections", type=int, default=4)
    arguments.add_argument("--workers", type=int, default=1)
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
