"""The departures log: a file apart from the database, so no restored backup brings anybody back.

Each unsubscribe, bounce, complaint, erasure and return is a line: time, kind, and the keyed hash of
the address. A worker appends it within seconds. The database remembers the last line it has
applied. A restored backup knows fewer lines: nothing is sent until it has applied the missing ones,
which happens before each batch of a lane and each minute.

The file is a header and lines, all of fixed length. Lines older than DEPARTURES_DAYS are pruned;
the header counts them, so a line keeps its number. The header also names the key generation of the
hashes; a key rotation rehashes them together with the database's.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from core import files
from core.advisory_lock import advisory_lock
from keys import sealing
from keys.sealing import FIRST_GENERATION, KeyNotFound, WorkerKeys
from newsletter.models import (
    Departure,
    DepartureKind,
    DeparturesLogPosition,
    HashGeneration,
    Subscriber,
    Suppression,
)
from newsletter.models.subscribers import DEPARTURE_KINDS
from newsletter.subscribers import hash_rotation

HEADER_FORMAT = "newsroom departures 2 {name} {pruned:015} {generation:05}\n"
"""Format 1 had no generation: its hashes are of the first."""
LOG_NAME_BYTES = 8
HEADER_BYTES = len(HEADER_FORMAT.format(name="0" * 2 * LOG_NAME_BYTES, pruned=0, generation=0))
LINE_FORMAT = "{second:012} {kind} {hash}\n"
LINE_BYTES = len(LINE_FORMAT.format(second=0, kind="l", hash="0" * 64))
BATCH_SIZE = 1000
LOCK_NAME = "journal of departures"
STATUS_BY_KIND = {kind: status for status, kind in DEPARTURE_KINDS.items()}


class DeparturesLogBroken(Exception):
    """Not the log that this database knows; says what to do. Nothing is sent."""


@dataclass(frozen=True)
class LogLine:
    """One departure."""

    second: int
    kind: DepartureKind
    address_hash: bytes

    @property
    def at(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.second, dt.UTC)

    def __str__(self) -> str:
        return LINE_FORMAT.format(
            second=self.second, kind=self.kind.value, hash=self.address_hash.hex()
        )

    @classmethod
    def from_departure(cls, departure: Departure) -> LogLine:
        return cls(
            int(departure.at.timestamp()),
            DepartureKind(departure.kind),
            bytes(departure.address_hash),
        )

    @classmethod
    def parse(cls, text: str) -> LogLine:
        """Raises ValueError."""
        second, kind, address_hash = text.split()
        return cls(int(second), DepartureKind(kind), bytes.fromhex(address_hash))


class DeparturesLog:
    """The file. Nothing is cached: another process may write it at any time."""

    def __init__(self, path: Path) -> None:
        """Raises DeparturesLogBroken where the file is something else."""
        self.path = path
        with path.open("rb") as file:
            header = file.readline(HEADER_BYTES)
        words = header.decode("ascii", "replace").split()
        if len(words) == 5 and words[:3] == ["newsroom", "departures", "1"]:
            words.append(str(FIRST_GENERATION))
        elif len(words) != 6 or words[:3] != ["newsroom", "departures", "2"]:
            raise DeparturesLogBroken(f"{path} is no departures log. {_REMEDY}")
        self.header_bytes = len(header)
        self.name, self.pruned, self.generation = words[3], int(words[4]), int(words[5])

    @classmethod
    def create(cls, path: Path) -> DeparturesLog:
        """A new file; it takes the database's generation with its first line.

        Raises FileExistsError.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = HEADER_FORMAT.format(
            name=secrets.token_hex(LOG_NAME_BYTES), pruned=0, generation=FIRST_GENERATION
        )
        with files.atomic_create(path) as file:
            file.write(text)
        return cls(path)

    @property
    def line_count(self) -> int:
        """Pruned lines included; a line truncated by a crash does not count."""
        return self.pruned + max(self.path.stat().st_size - self.header_bytes, 0) // LINE_BYTES

    def lines_after(self, number: int) -> Iterator[LogLine]:
        """The lines after the first `number`. Raises DeparturesLogBroken at a damaged line."""
        number = max(number, self.pruned)
        with self.path.open("rb") as file:
            file.seek(self.header_bytes + (number - self.pruned) * LINE_BYTES)
            while len(raw := file.read(LINE_BYTES)) == LINE_BYTES:
                number += 1
                try:
                    yield LogLine.parse(raw.decode("ascii"))
                except ValueError:
                    raise DeparturesLogBroken(
                        f"Line {number} of {self.path} is damaged. {_REMEDY}"
                    ) from None

    def append(self, lines: Iterable[LogLine]) -> None:
        """Durable (fsync) once it returns."""
        with self.path.open("r+", encoding="ascii", newline="") as file:
            # Overwrites a line truncated by a crash.
            file.seek(self.header_bytes + (self.line_count - self.pruned) * LINE_BYTES)
            file.truncate()
            file.writelines(map(str, lines))
            files.fsync(file)

    def prune(self, before: dt.datetime) -> int:
        """Drops lines up to the first that is not older; returns how many."""
        old = 0
        for line in self.lines_after(0):
            if line.at >= before:
                break
            old += 1
        if not old:
            return 0
        self._rewrite(self.pruned + old, self.generation, self.lines_after(self.pruned + old))
        return old

    def rehash(self, keys: WorkerKeys, generation: int) -> None:
        """Brings every hash to this generation. Raises KeyNotFound, DeparturesLogBroken."""
        if self.generation >= generation:
            return
        lines = (
            replace(
                line,
                address_hash=keys.advance_hash(line.address_hash, self.generation, generation),
            )
            for line in self.lines_after(0)
        )
        self._rewrite(self.pruned, generation, lines)

    def _rewrite(self, pruned: int, generation: int, lines: Iterable[LogLine]) -> None:
        """Replaces the whole file atomically."""
        header = HEADER_FORMAT.format(name=self.name, pruned=pruned, generation=generation)
        with files.atomic_replace(self.path) as file:
            file.writelines(chain([header], map(str, lines)))
        self.pruned, self.generation, self.header_bytes = pruned, generation, len(header)


_REMEDY = (
    "Until this is settled nothing is sent: a restored backup could bring back who unsubscribed. "
    "Put the right file back; or, if it is lost for good, run `manage.py departures --start-anew`."
)


# --- Keeping database and log in sync ------------------------------------------------


def replay_missed() -> int:
    """Applies the lines that this database has not seen; returns how many.

    With nothing to do it costs one query and one stat. Raises DeparturesLogBroken, OSError; then
    nothing may be sent.
    """
    try:
        mark = DeparturesLogPosition.objects.first()
        if mark is not None and mark.lines == _open_log(mark).line_count:
            return 0
    except DeparturesLogBroken:
        # It may be being pruned just now: look again under the lock.
        pass
    with advisory_lock(connection, LOCK_NAME):
        return _replay(_open_log(DeparturesLogPosition.objects.first()))


def append_pending() -> int:
    """Appends the pending departures; returns how many. Raises DeparturesLogBroken, OSError."""
    if not Departure.objects.exists():
        return 0
    written = 0
    with advisory_lock(connection, LOCK_NAME):
        log = _open_log(DeparturesLogPosition.objects.first())
        _replay(log)
        _align_generations(log)
        while batch := list(Departure.objects.all()[:BATCH_SIZE]):
            log.append(LogLine.from_departure(one) for one in batch)
            # Killed before the commit, the lines are written twice, which does no harm.
            with transaction.atomic():
                DeparturesLogPosition.objects.update(lines=log.line_count)
                Departure.objects.filter(pk__in=[one.pk for one in batch]).delete()
            written += len(batch)
    return written


def rotate_hashes() -> int:
    """Brings database and log to the newest hash generation; returns how many rows changed.

    Killed in between, the log follows before its next line. Raises KeyNotFound,
    DeparturesLogBroken, OSError.
    """
    with advisory_lock(connection, LOCK_NAME):
        log = _open_log(DeparturesLogPosition.objects.first())
        _replay(log)
        keys = sealing.worker_keys()
        done = hash_rotation.rehash_rows(keys, keys.hash_generation)
        log.rehash(keys, keys.hash_generation)
        return done


def prune(now: dt.datetime) -> int:
    """Drops lines older than any backup (DEPARTURES_DAYS); returns how many."""
    with advisory_lock(connection, LOCK_NAME):
        log = _open_log(DeparturesLogPosition.objects.first())
        _replay(log)
        return log.prune(now - dt.timedelta(days=settings.DEPARTURES_DAYS))


def start_new_log() -> None:
    """Begins a new file where the old one is lost. An old file is kept with the suffix .before."""
    path = settings.DEPARTURES_FILE
    with advisory_lock(connection, LOCK_NAME):
        if path.exists():
            path.replace(path.with_suffix(".before"))
        DeparturesLogPosition.objects.all().delete()
        DeparturesLog.create(path)


def _open_log(mark: DeparturesLogPosition | None) -> DeparturesLog:
    path = settings.DEPARTURES_FILE
    if mark is None and not path.exists():
        try:
            return DeparturesLog.create(path)
        except FileExistsError:
            return DeparturesLog(path)
    try:
        log = DeparturesLog(path)
    except FileNotFoundError:
        raise DeparturesLogBroken(f"The departures log is missing: {path}. {_REMEDY}") from None
    if mark is not None and mark.journal != log.name:
        raise DeparturesLogBroken(f"{path} is the departures log of another database. {_REMEDY}")
    if mark is not None and mark.lines > log.line_count:
        raise DeparturesLogBroken(
            f"{path} has {log.line_count} lines and this database knows {mark.lines}. {_REMEDY}"
        )
    if mark is not None and mark.lines < log.pruned:
        raise DeparturesLogBroken(
            f"This database is older than the departures log reaches back "
            f"({settings.DEPARTURES_DAYS} days): {path} lacks {log.pruned - mark.lines} lines. "
            f"{_REMEDY}"
        )
    return log


def _replay(log: DeparturesLog) -> int:
    mark, _created = DeparturesLogPosition.objects.get_or_create(
        journal=log.name, defaults={"lines": 0}
    )
    until = log.line_count
    if mark.lines >= until:
        return 0
    _align_generations(log)
    # The newest line of each address counts; lines may be duplicated or out of order.
    last: dict[bytes, LogLine] = {}
    for line in log.lines_after(mark.lines):
        known = last.get(line.address_hash)
        if known is None or line.second >= known.second:
            last[line.address_hash] = line
    for line in last.values():
        with transaction.atomic():
            _apply(line)
    DeparturesLogPosition.objects.filter(pk=mark.pk).update(lines=until)
    return until - mark.lines


def _align_generations(log: DeparturesLog) -> None:
    """Both to the newer generation of the two: a restored backup may be behind the log."""
    try:
        keys = sealing.worker_keys()
        hash_rotation.rehash_rows(keys, log.generation)
        log.rehash(keys, HashGeneration.lock_shared(keys))
    except KeyNotFound as error:
        raise DeparturesLogBroken(f"Its hashes cannot be compared: {error}") from None


def _apply(line: LogLine) -> None:
    if line.kind is DepartureKind.RETURNED:
        return
    row = Subscriber.objects.select_for_update().filter(address_hash=line.address_hash).first()
    if row is not None and _signed_up_after(row, line):
        return
    status = STATUS_BY_KIND.get(line.kind)
    if status is None:
        Suppression.objects.filter(address_hash=line.address_hash).delete()
        Subscriber.objects.filter(address_hash=line.address_hash).delete()
        return
    if row is not None:
        Subscriber.objects.filter(pk=row.pk).update(
            status=status, sealed_address=b"", ended_at=line.at
        )
        row.outbox.all().delete()
    Suppression.objects.update_or_create(
        address_hash=line.address_hash, defaults={"reason": status, "since": line.at}
    )


def _signed_up_after(row: Subscriber, line: LogLine) -> bool:
    """Signed up or confirmed since the line was written."""
    latest = max(row.signed_up_at, row.confirmed_at or row.signed_up_at)
    return int(latest.timestamp()) > line.second
