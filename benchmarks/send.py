"""Throughput of a mailing, compared with Postfix's load generator in the same run.

    python benchmarks/send.py [--subscribers 20000] [--letter-kb 30] [--rounds 5]
        [--database postgres|sqlite] [--workers 1] [--lanes 2] [--connections 64] [--json]
    python benchmarks/send.py --delay-ms 20 [--subscribers 2000]

A real Celery worker claims, decrypts, sends and records, to Postfix's `smtp-sink` on loopback. Its
rounds alternate with rounds of `smtp-source`, with 16 sessions and letters of the same size; the
medians are printed. In each round sink and ledger have to count the same. A round lasts from
the first letter handed over to the last result, by the ledger.

With `--delay-ms` each reply of the sink is delayed, as over a slow network, and one lane sends with
1, 2, 4, 8 and 16 connections.

`smtp-sink` and `smtp-source` are in Debian's package postfix (in /usr/sbin).
"""

# Django is set up once its database is there, and only then can the rest be imported.
# ruff: noqa: E402, PLC0415
from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from tests.services import free_port, listens, running_postgresql, running_redis, wait_for

SESSIONS = 16
CONNECTION_STEPS = (1, 2, 4, 8, 16)
"""With `--delay-ms`."""
ROUND_TIMEOUT_SECONDS = 1800
MESSAGE_COUNT = re.compile(rb"mesg=\s*(\d+)")


@dataclass(frozen=True)
class Round:
    """The result of one mailing."""

    seconds: float
    received: int
    balanced: bool


class Sink:
    """Postfix's smtp-sink, which accepts and counts everything."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._counts = folder / "sink"
        command = ["smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{self.port}", "1000"]
        with self._counts.open("wb") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        wait_for(lambda: listens(self.port), "smtp-sink")

    def count(self) -> int:
        """Messages so far."""
        found = MESSAGE_COUNT.findall(self._counts.read_bytes()[-400:])
        return int(found[-1]) if found else 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def set_up(subscribers: int, letter_kb: int, rounds: int) -> None:
    """Subscribers, and a digest with one long article for each round."""
    from django.core.management import call_command
    from django.utils import timezone

    from articles.editorial.digest_builder import build_digest
    from newsletter.campaigns import approval
    from newsletter.imports import apply, dry_run
    from newsletter.imports.upload import import_from_chunks
    from newsletter.models import Import
    from tests.factories import WEEK, make_article, make_edition

    call_command("migrate", verbosity=0)
    call_command("make_keys", verbosity=0)
    edition = make_edition()
    pieces = (f"reader{n}@example.org\n".encode() for n in range(subscribers))
    row = import_from_chunks([b"email\n", *pieces], edition, timezone.now())
    dry_run.check_import(row.pk, timezone.now)
    apply.request_apply(Import.objects.get(), None, timezone.now())
    apply.apply_import(row.pk, timezone.now)
    # Twice in a letter: as text and as HTML.
    sentence = "The budget grows, says the ministry, and nobody knows by how much. "
    paragraph = f"<p>{sentence * 5}</p>"
    body = paragraph * max(letter_kb * 1024 // 2 // len(paragraph), 1)
    for number in range(rounds):
        week = WEEK.previous(number)
        article = make_article(week=week, written_in=("en",))
        article.body_en = body
        article.save()
        approval.approve(build_digest(week), None, timezone.now())


def send_round(sink: Sink, subscribers: int) -> Round:
    """Sends the next mailing."""
    from django.db.models import Max, Min
    from django.utils import timezone

    from newsletter.campaigns import lifecycle
    from newsletter.models import Delivery, Mailing, MailingStatus
    from newsletter.tasks import enqueue_lanes

    before = sink.count()
    mailing = Mailing.objects.not_begun().order_by("pk")[0]
    lifecycle.launch(mailing, timezone.now())
    enqueue_lanes(mailing)

    def is_sent() -> bool:
        return Mailing.objects.filter(pk=mailing.pk, status=MailingStatus.SENT).exists()

    wait_for(is_sent, "the mailing", ROUND_TIMEOUT_SECONDS)
    wait_for(lambda: sink.count() - before >= subscribers, "the sink's count")
    took = Delivery.objects.of_mailing(mailing).aggregate(
        first=Min("handed_over_at"), last=Max("settled_at")
    )
    counts = lifecycle.ledger(mailing)
    balanced = counts.balances and counts.sent == subscribers
    return Round((took["last"] - took["first"]).total_seconds(), sink.count() - before, balanced)


def source_round(sink: Sink, letters: int, size: int) -> float:
    """Seconds that smtp-source takes for as many letters of the same size."""
    began = time.perf_counter()
    subprocess.run(
        [
            *("smtp-source", "-s", str(SESSIONS), "-m", str(letters), "-l", str(size)),
            *("-f", "b@newsroom.example", "-t", "reader@example.org", f"127.0.0.1:{sink.port}"),
        ],
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


@contextlib.contextmanager
def delayed(sink: Sink, milliseconds: float) -> Iterator[int]:
    """The port of a proxy to the sink that delays its replies."""
    port = free_port()
    proxy = [str(ROOT / "benchmarks" / "delay.py"), str(port), str(sink.port)]
    process = subprocess.Popen([sys.executable, *proxy, str(milliseconds / 1000)])
    try:
        wait_for(lambda: listens(port), "the proxy")
        yield port
    finally:
        process.terminate()
        process.wait()


def letter_size() -> int:
    """Bytes of one letter on the wire."""
    from django.utils import timezone

    from keys.tokens import TOKEN_LENGTH
    from newsletter.mime import EncodedLetter, Personalisation
    from newsletter.models import Variant

    token = "a" * TOKEN_LENGTH
    subscriber = Personalisation("reader1000@example.org", token, token, timezone.now())
    return len(EncodedLetter(Variant.objects.all()[0].letter, eight_bit=True).to(subscriber))


@contextlib.contextmanager
def stores(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """The database and the broker, as environment variables."""
    if kind == "sqlite":
        yield {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
        return
    with running_postgresql(durable=True) as postgresql, running_redis() as redis:
        yield {"DATABASE_URL": postgresql.url(), "BROKER_URL": redis.url}


@contextlib.contextmanager
def workers(count: int, folder: Path) -> Iterator[list[int]]:
    """Workers, started as in the Procfile; yields the ids of their parent processes."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    command = shlex.split(dict(line.split(": ", 1) for line in lines)["worker"])
    begun = []
    for number in range(count):
        with (folder / f"worker{number}.log").open("wb") as log:
            named = [*command, "--hostname", f"w{number}@localhost"]
            begun.append(subprocess.Popen(named, cwd=ROOT, stdout=log, stderr=log))
    try:
        logs = [folder / f"worker{number}.log" for number in range(count)]
        wait_for(lambda: all(b"ready." in log.read_bytes() for log in logs), "the workers", 60)
        yield [process.pid for process in begun]
    finally:
        for process in begun:
            process.terminate()
        for process in begun:
            process.wait()


def with_children(pids: list[int]) -> list[int]:
    """The processes and their children."""
    from tests.services import children_of

    return [*pids, *(child for pid in pids for child in children_of(pid))]


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of all of them, by /proc."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in with_children(pids):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / tick


def peak_mb(pids: list[int]) -> float:
    """The largest peak memory of any of them."""
    peaks = []
    for pid in with_children(pids):
        status = Path(f"/proc/{pid}/status").read_text()
        peaks.append(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024)
    return max(peaks)


def measure(chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Runs all rounds."""
    set_up(chosen.subscribers, chosen.letter_kb, chosen.rounds)
    size = letter_size()
    sink = Sink(folder)
    os.environ["RELAY_URL"] = f"smtp://127.0.0.1:{sink.port}"
    mailings: list[Round] = []
    source_seconds: list[float] = []
    try:
        with workers(chosen.workers, folder) as pids:
            spent = 0.0
            for _number in range(chosen.rounds):
                source_seconds.append(source_round(sink, chosen.subscribers, size))
                before = cpu_seconds(pids)
                mailings.append(send_round(sink, chosen.subscribers))
                spent += cpu_seconds(pids) - before
            memory = peak_mb(pids)
    finally:
        sink.stop()
    rates = [chosen.subscribers / one.seconds for one in mailings]
    raw = [chosen.subscribers / seconds for seconds in source_seconds]
    return {
        "letters_per_second": round(statistics.median(rates)),
        "smtp_source_per_second": round(statistics.median(raw)),
        "ratio_to_smtp_source": round(statistics.median(rates) / statistics.median(raw), 3),
        "cpu_us_per_letter": round(spent / chosen.subscribers / chosen.rounds * 1e6),
        "peak_memory_mb": round(memory),
        "letter_bytes": size,
        "ledger_balanced": all(
            one.balanced and one.received == chosen.subscribers for one in mailings
        ),
    }


def measure_delayed(chosen: argparse.Namespace, folder: Path) -> dict[str, object]:
    """One mailing for each number of connections."""
    set_up(chosen.subscribers, chosen.letter_kb, len(CONNECTION_STEPS))
    sink = Sink(folder)
    figures: dict[str, object] = {}
    balanced, first = True, 0.0
    try:
        with delayed(sink, chosen.delay_ms) as port:
            os.environ["RELAY_URL"] = f"smtp://127.0.0.1:{port}"
            for connections in CONNECTION_STEPS:
                os.environ["CONNECTIONS"] = str(connections)
                with workers(chosen.workers, folder):
                    one = send_round(sink, chosen.subscribers)
                rate = chosen.subscribers / one.seconds
                first = first or rate
                figures[f"letters_per_second_{connections}"] = round(rate, 1)
                figures[f"of_linear_{connections}"] = round(rate / first / connections, 3)
                balanced &= one.balanced and one.received == chosen.subscribers
    finally:
        sink.stop()
    return {**figures, "ledger_balanced": balanced}


def main() -> None:
    """Prints the figures; exits with 1 if ledger and sink disagree."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--subscribers", type=int, default=20_000)
    arguments.add_argument("--letter-kb", type=int, default=30)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--lanes", type=int, default=2)
    arguments.add_argument("--connections", type=int, default=64, help="of each lane")
    arguments.add_argument("--delay-ms", type=float, default=0)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    if shutil.which("smtp-sink") is None:
        sys.exit("smtp-sink is missing. On Debian: apt-get install postfix")
    with tempfile.TemporaryDirectory(prefix="send-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with stores(chosen.database, folder) as environment:
            os.environ |= {
                **environment,
                "VAR_DIR": name,
                "LANES": str(1 if chosen.delay_ms else chosen.lanes),
                "CONNECTIONS": str(chosen.connections),
            }
            import django

            django.setup()
            figures = (measure_delayed if chosen.delay_ms else measure)(chosen, folder)
    if chosen.json:
        print(json.dumps(figures))
    else:
        for what, figure in figures.items():
            print(f"{what:<24}{figure}")
    sys.exit(0 if figures["ledger_balanced"] else 1)


if __name__ == "__main__":
    main()
