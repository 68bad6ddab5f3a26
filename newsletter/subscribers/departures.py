"""The journal of departures: a file apart from the database, so no backup brings anybody back.

Whoever leaves, bounces, complains, is forgotten or comes back gets a line: when, what, and the
keyed hash of the address, which tells nothing without the worker's key. A worker appends it
within seconds. The database remembers up to which line it knows the file; one that was restored
from a backup knows less, and then nobody is written to until the lines in between have been
obeyed. That happens by itself, before a lane's turn and at each tick.

The file: a head of fixed length, then lines of fixed length. Old lines are pruned (JOURNAL_DAYS),
so the head says how many have gone, and a line keeps its number for good. The head says too of
which generation of the keys all hashes are; with the database's they are carried on to the next.
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
from core.advisory_lock import only_one
from keys import sealing
from keys.sealing import FIRST_GENERATION, KeyMissing, WorkerKeys
from newsletter.models import (
    Departure,
    DepartureKind,
    HashGeneration,
    JournalMark,
    Subscriber,
    Suppression,
)
from newsletter.models.subscribers import DEPARTURES
from newsletter.subscribers import hash_rotation

HEAD = "newsroom departures 2 {name} {pruned:015} {generation:05}\n"
"""The first format had no generation: its hashes are of the first."""
NAME_BYTES = 8
HEAD_BYTES = len(HEAD.format(name="0" * 2 * NAME_BYTES, pruned=0, generation=0))
LINE = "{second:012} {kind} {hash}\n"
LINE_BYTES = len(LINE.format(second=0, kind="l", hash="0" * 64))
AT_ONCE = 1000
LOCK = "journal of departures"
ENDS = {kind: status for status, kind in DEPARTURES.items()}


class JournalBroken(Exception):
    """The journal is not the one that this database knows; says what to do. Nobody is mailed."""


@dataclass(frozen=True)
class Line:
    """One departure."""

    second: int
    kind: DepartureKind
    address_hash: bytes

    @property
    def at(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.second, dt.UTC)

    def __str__(self) -> str:
        return LINE.format(second=self.second, kind=self.kind.value, hash=self.address_hash.hex())

    @classmethod
    def of(cls, departure: Departure) -> Line:
        return cls(
            int(departure.at.timestamp()),
            DepartureKind(departure.kind),
            bytes(departure.address_hash),
        )

    @classmethod
    def parse(cls, text: str) -> Line:
        """Raises ValueError."""
        second, kind, address_hash = text.split()
        return cls(int(second), DepartureKind(kind), bytes.fromhex(address_hash))


class Journal:
    """The file. Nothing is kept in memory: another process may write it at any time."""

    def __init__(self, path: Path) -> None:
        """Raises JournalBroken where the file is something else."""
        self.path = path
        with path.open("rb") as file:
            head = file.readline(HEAD_BYTES)
        words = head.decode("ascii", "replace").split()
        if len(words) == 5 and words[:3] == ["newsroom", "departures", "1"]:
            words.append(str(FIRST_GENERATION))
        elif len(words) != 6 or words[:3] != ["newsroom", "departures", "2"]:
            raise JournalBroken(f"{path} is no journal of departures. {_WAY_OUT}")
        self.head_bytes = len(head)
        self.name, self.pruned, self.generation = words[3], int(words[4]), int(words[5])

    @classmethod
    def make(cls, path: Path) -> Journal:
        """A new one, which comes under the database's generation with its first line.

        Raises FileExistsError.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = HEAD.format(
            name=secrets.token_hex(NAME_BYTES), pruned=0, generation=FIRST_GENERATION
        )
        with files.new_file(path) as file:
            file.write(text)
        return cls(path)

    @property
    def lines(self) -> int:
        """How many there ever were. A line cut by a crash does not count."""
        return self.pruned + max(self.path.stat().st_size - self.head_bytes, 0) // LINE_BYTES

    def since(self, number: int) -> Iterator[Line]:
        """The lines after the first `number`. Raises JournalBroken at one that is none."""
        number = max(number, self.pruned)
        with self.path.open("rb") as file:
            file.seek(self.head_bytes + (number - self.pruned) * LINE_BYTES)
            while len(raw := file.read(LINE_BYTES)) == LINE_BYTES:
                number += 1
                try:
                    yield Line.parse(raw.decode("ascii"))
                except ValueError:
                    raise JournalBroken(
                        f"Line {number} of {self.path} is damaged. {_WAY_OUT}"
                    ) from None

    def append(self, lines: Iterable[Line]) -> None:
        """On the disk once it returns."""
        with self.path.open("r+", encoding="ascii", newline="") as file:
            # Over a line that a crash cut.
            file.seek(self.head_bytes + (self.lines - self.pruned) * LINE_BYTES)
            file.truncate()
            file.writelines(map(str, lines))
            files.sync(file)

    def prune(self, before: dt.datetime) -> int:
        """Drops the lines up to the first that is not older; returns how many."""
        old = 0
        for line in self.since(0):
            if line.at >= before:
                break
            old += 1
        if not old:
            return 0
        self._rewrite(self.pruned + old, self.generation, self.since(self.pruned + old))
        return old

    def carry_on(self, keys: WorkerKeys, until: int) -> None:
        """Brings every line's hash under this generation. Raises KeyMissing, JournalBroken."""
        if self.generation >= until:
            return
        lines = (
            replace(
                line, address_hash=keys.carry_hash_on(line.address_hash, self.generation, until)
            )
            for line in self.since(0)
        )
        self._rewrite(self.pruned, until, lines)

    def _rewrite(self, pruned: int, generation: int, lines: Iterable[Line]) -> None:
        """The whole file at once: killed meanwhile, the one before is still there."""
        head = HEAD.format(name=self.name, pruned=pruned, generation=generation)
        with files.replaced_file(self.path) as file:
            file.writelines(chain([head], map(str, lines)))
        self.pruned, self.generation, self.head_bytes = pruned, generation, len(head)


_WAY_OUT = (
    "Until this is settled no letter leaves, since a restored backup could bring back who left. "
    "Put the right file back; or, if it is lost for good, run `manage.py departures --start-anew`."
)


# --- Keeping database and journal in step --------------------------------------------


def catch_up() -> int:
    """Obeys what the journal tells and this database has not heard; returns how many lines.

    Nothing to do is found out with one query and one look at the file. Raises JournalBroken,
    OSError; then nobody may be written to.
    """
    try:
        mark = JournalMark.objects.first()
        if mark is not None and mark.lines == _journal(mark).lines:
            return 0
    except JournalBroken:
        # Or it is being pruned just now, which the lock tells.
        pass
    with only_one(connection, LOCK):
        return _catch_up(_journal(JournalMark.objects.first()))


def write_down() -> int:
    """Appends the departures that wait; returns how many. Raises JournalBroken, OSError."""
    if not Departure.objects.exists():
        return 0
    written = 0
    with only_one(connection, LOCK):
        journal = _journal(JournalMark.objects.first())
        _catch_up(journal)
        _in_step(journal)
        while batch := list(Departure.objects.all()[:AT_ONCE]):
            journal.append(Line.of(one) for one in batch)
            # Killed before the commit, the lines are there twice. That does no harm.
            with transaction.atomic():
                JournalMark.objects.update(lines=journal.lines)
                Departure.objects.filter(pk__in=[one.pk for one in batch]).delete()
            written += len(batch)
    return written


def carry_hashes_on() -> int:
    """Brings database and journal under the newest generation of the hash; returns how many rows.

    Killed in between, the journal follows before its next line. Raises KeyMissing, JournalBroken,
    OSError.
    """
    with only_one(connection, LOCK):
        journal = _journal(JournalMark.objects.first())
        _catch_up(journal)
        keys = sealing.worker_keys()
        done = hash_rotation.carry_on(keys, keys.hash_generation)
        journal.carry_on(keys, keys.hash_generation)
        return done


def prune(now: dt.datetime) -> int:
    """Drops lines that are older than any backup that is kept; returns how many."""
    with only_one(connection, LOCK):
        journal = _journal(JournalMark.objects.first())
        _catch_up(journal)
        return journal.prune(now - dt.timedelta(days=settings.JOURNAL_DAYS))


def start_anew() -> None:
    """The file is lost: this database begins a new one. The old file, if any, is kept aside."""
    path = settings.JOURNAL_FILE
    with only_one(connection, LOCK):
        if path.exists():
            path.replace(path.with_suffix(".before"))
        JournalMark.objects.all().delete()
        Journal.make(path)


def _journal(mark: JournalMark | None) -> Journal:
    path = settings.JOURNAL_FILE
    if mark is None and not path.exists():
        try:
            return Journal.make(path)
        except FileExistsError:
            return Journal(path)
    try:
        journal = Journal(path)
    except FileNotFoundError:
        raise JournalBroken(f"The journal of departures is missing: {path}. {_WAY_OUT}") from None
    if mark is not None and mark.journal != journal.name:
        raise JournalBroken(f"{path} is the journal of another database. {_WAY_OUT}")
    if mark is not None and mark.lines > journal.lines:
        raise JournalBroken(
            f"{path} has {journal.lines} lines and this database knows {mark.lines}. {_WAY_OUT}"
        )
    if mark is not None and mark.lines < journal.pruned:
        raise JournalBroken(
            f"This database is older than the journal reaches back ({settings.JOURNAL_DAYS} days): "
            f"{path} lacks {journal.pruned - mark.lines} lines. {_WAY_OUT}"
        )
    return journal


def _catch_up(journal: Journal) -> int:
    mark, _made = JournalMark.objects.get_or_create(journal=journal.name, defaults={"lines": 0})
    until = journal.lines
    if mark.lines >= until:
        return 0
    _in_step(journal)
    # The last word on each address counts; a line may stand there twice, and late.
    last: dict[bytes, Line] = {}
    for line in journal.since(mark.lines):
        known = last.get(line.address_hash)
        if known is None or line.second >= known.second:
            last[line.address_hash] = line
    for line in last.values():
        with transaction.atomic():
            _obey(line)
    JournalMark.objects.filter(pk=mark.pk).update(lines=until)
    return until - mark.lines


def _in_step(journal: Journal) -> None:
    """Both under the newer generation of the two: a restored backup may be behind the journal."""
    try:
        keys = sealing.worker_keys()
        hash_rotation.carry_on(keys, journal.generation)
        journal.carry_on(keys, HashGeneration.held(keys))
    except KeyMissing as error:
        raise JournalBroken(f"Its hashes cannot be compared: {error}") from None


def _obey(line: Line) -> None:
    if line.kind is DepartureKind.RETURNED:
        return
    row = Subscriber.objects.select_for_update().filter(address_hash=line.address_hash).first()
    if row is not None and _came_after(row, line):
        return
    status = ENDS.get(line.kind)
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


def _came_after(row: Subscriber, line: Line) -> bool:
    """Signed up, or confirmed, since the line was written."""
    latest = max(row.signed_up_at, row.confirmed_at or row.signed_up_at)
    return int(latest.timestamp()) > line.second
