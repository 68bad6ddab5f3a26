"""The list at 10,000, 100,000 and 1,000,000 subscribers, on a PostgreSQL of its own.

    python benchmarks/list.py [--sizes 10000,100000,1000000]

For each size an empty database gets a file of so many invented addresses: uploaded (sealed in
chunks), checked (the dry run), applied; then a mailing is launched for all of them, addresses are
looked up, the list is rehashed and re-encrypted with a new key generation, and the import is
undone. Each step is a process of its own; its peak memory is ru_maxrss. Then sign-ups are accepted
for ten seconds, as by the form. The launch is compared with a raw limit of the same machine in the
same run: INSERT … SELECT of as many rows of the same width into a table without indexes and
constraints.
"""

from __future__ import annotations

# ruff: noqa: E402
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from articles.editorial.digest_builder import build_digest
from keys import keyring
from newsletter.campaigns import approval, lifecycle
from newsletter.imports.apply import apply_import, request_apply, request_undo, undo_import
from newsletter.imports.dry_run import check_import
from newsletter.imports.upload import import_from_chunks
from newsletter.models import Delivery, Edition, Import, LookupAnswer, Subscriber, SubscriberLookup
from newsletter.privacy import reencryption
from newsletter.subscribers import departures, lookup
from newsletter.subscribers.sign_up import sign_up as submit_sign_up
from tests.factories import WEEK, make_article, make_edition, make_user
from tests.services import running_postgresql

SIZES = (10_000, 100_000, 1_000_000)
LOOKUPS = 200
SIGN_UP_SECONDS = 10
STEPS = (
    "prepare",
    "upload",
    "check",
    "apply",
    "launch",
    "raw_insert",
    "look_up",
    "rehash",
    "reencrypt",
    "undo",
)


def file_chunks(size: int) -> Iterator[bytes]:
    """The file, a thousand lines at a time."""
    yield b"email,edition,created_at\n"
    for start in range(0, size, 1000):
        lines = (
            f"reader.{number:07}@example{number % 97}.org,"
            f"{'en' if number % 3 else 'be-ru'},2024-03-{number % 28 + 1:02}\n"
            for number in range(start, min(start + 1000, size))
        )
        yield "".join(lines).encode()


# --- Steps, each in a process of its own ---------------------------------------------


def prepare(_size: int) -> int:
    """An empty newsroom with two editions and an approved digest."""
    call_command("migrate", verbosity=0)
    call_command("make_keys", verbosity=0)
    make_edition(code="en")
    make_edition(code="be-ru", position=2)
    make_article()
    return 0


def upload(size: int) -> int:
    """Sealed in chunks, as an upload."""
    import_from_chunks(file_chunks(size), None, timezone.now())
    return size


def check(size: int) -> int:
    """The dry run."""
    row = Import.objects.get()
    found = check_import(row.pk, timezone.now, is_limited=False)
    assert found == Counter(lines=size, new=size), found
    return size


def apply(size: int) -> int:
    """Onto the list."""
    row = Import.objects.get()
    request_apply(row, None, timezone.now())
    apply_import(row.pk, timezone.now)
    assert Subscriber.objects.active().count() == size
    return size


def launch(size: int) -> int:
    """One statement an edition."""
    found = approval.approve(build_digest(WEEK), None, timezone.now())
    clock = time.perf_counter()
    for mailing in found:
        lifecycle.launch(mailing, timezone.now())
    _note_seconds(time.perf_counter() - clock)
    assert Delivery.objects.count() == size
    return size


def raw_insert(size: int) -> int:
    """As many rows of the same width, into a table that checks nothing."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raw AS SELECT * FROM newsletter_delivery WHERE false")
        clock = time.perf_counter()
        cursor.execute("INSERT INTO raw SELECT * FROM newsletter_delivery")
        _note_seconds(time.perf_counter() - clock)
        assert cursor.rowcount == size
    return size


def look_up(size: int) -> int:
    """By address, as a worker answers a lookup."""
    raise_lookup_limit(LOOKUPS)
    user = make_user()
    asked = [
        lookup.request_lookup(
            f"reader.{number:07}@example{number % 97}.org", user, timezone.now()
        ).pk
        for number in range(0, size, max(size // LOOKUPS, 1))
    ][:LOOKUPS]
    clock = time.perf_counter()
    for pk in asked:
        lookup.answer_lookup(pk, timezone.now())
    _note_seconds(time.perf_counter() - clock)
    assert SubscriberLookup.objects.filter(answer=LookupAnswer.KNOWN).count() == len(asked)
    return len(asked)


def raise_lookup_limit(questions: int) -> None:
    """Above the daily limit of a manager."""
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = questions + 1


def rehash(size: int) -> int:
    """In one transaction, during which sign-ups and unsubscribes wait."""
    assert settings.WORKER_KEY_FILE is not None
    keyring.add_generation(settings.WORKER_KEY_FILE)
    assert departures.rotate_hashes() == size
    return size


def reencrypt(size: int) -> int:
    """With the new key generation."""
    SubscriberLookup.objects.all().delete()
    assert reencryption.reencrypt(lambda _done: None) == size
    return size


def undo(size: int) -> int:
    """Off the list again."""
    row = Import.objects.get()
    request_undo(row, None, timezone.now())
    undo_import(row.pk, timezone.now)
    assert not Subscriber.objects.exists()
    return size


def sign_up(_size: int) -> int:
    """As by the form, sequentially, for ten seconds."""
    edition = Edition.objects.first()
    assert edition is not None
    count, until = 0, time.perf_counter() + SIGN_UP_SECONDS
    while time.perf_counter() < until:
        submit_sign_up(f"reader{count}@example.org", edition, "en", timezone.now())
        count += 1
    return count


_seconds: list[float] = []


def _note_seconds(seconds: float) -> None:
    """The step's own time, without its preparation."""
    _seconds.append(seconds)


def run_step(name: str, size: int) -> None:
    """In the child process: runs the step and prints its figures."""
    step: Callable[[int], int] = globals()[name]
    clock = time.perf_counter()
    count = step(size)
    seconds = sum(_seconds) or time.perf_counter() - clock
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": count, "seconds": seconds, "mb": memory}))


# --- The table -----------------------------------------------------------------------


def measure(size: int) -> Iterator[tuple[str, dict[str, float]]]:
    """One database for one size."""
    with running_postgresql(durable=True) as postgresql, tempfile.TemporaryDirectory() as var:
        environment = {**os.environ, "DATABASE_URL": postgresql.url(), "VAR_DIR": var}
        for name in (*STEPS, "sign_up"):
            done = subprocess.run(
                [sys.executable, __file__, "--step", name, "--sizes", str(size)],
                env=environment,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                sys.exit(done.stderr)
            yield name, json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Prints a row for each step and size."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)))
    arguments.add_argument("--step", choices=(*STEPS, "sign_up"), help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    if chosen.step:
        run_step(chosen.step, sizes[0])
        return
    print(f"{'size':>9}  {'step':<11}{'seconds':>9}{'µs a row':>10}{'rows/s':>10}{'MB':>7}")
    for size in sizes:
        for name, took in measure(size):
            if name == "prepare":
                continue
            rows, seconds = took["rows"], took["seconds"]
            print(
                f"{size:>9}  {name:<11}{seconds:>9.2f}{seconds / rows * 1e6:>10.1f}"
                f"{rows / seconds:>10,.0f}{took['mb']:>7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
