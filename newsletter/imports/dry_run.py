"""The dry run: reads the sealed file, and finds out whom it would add. Nobody is added yet.

It answers who is on the list, so it costs a question and is written down, whatever its size:
made-up addresses around one make a large file of it. Its exact counts are for who runs it where
the worker's key is; the row has them rounded.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext as _

from keys import sealing
from keys.sealing import SealBroken, WorkerKeys
from newsletter.imports import columns
from newsletter.imports.columns import MAY_BE_SEVERAL, Column
from newsletter.imports.reading import NoList, Row, rows
from newsletter.imports.upload import purpose
from newsletter.models import (
    Edition,
    HashGeneration,
    Import,
    ImportProblem,
    ImportStatus,
    Problem,
    StagedReader,
    Subscriber,
    Suppression,
)
from newsletter.models.imports import COUNTS
from newsletter.models.subscribers import GONE, random_id
from newsletter.subscribers import addresses, lookup_limits
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyQuestions
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

BATCH = 2000
"""Rows of one transaction: what is held in memory, however long the file."""
MOST_PROBLEMS = 1000
"""Lines that are named; more are only counted."""
MOST_COLUMNS = 100

Clock = Callable[[], dt.datetime]


class _Unnamed(Exception):
    """Nobody could tell which column is the address."""

    def __init__(self, header: list[str]) -> None:
        super().__init__()
        self.header = header


def check(import_id: int, clock: Clock, *, is_limited: bool = True) -> Counter[str] | None:
    """Checks an uploaded file; None if there is nothing to do or another worker is at it.

    Returns the exact counts, none where it failed. Killed in the middle it begins anew. Without
    limit only for who could read the list anyway. Raises KeyMissing.
    """
    keys = sealing.worker_keys()
    row = Import.objects.filter(pk=import_id, status=ImportStatus.UPLOADED).first()
    if row is None or not row.take(clock()):
        return None
    _forget_an_earlier_try(row)
    try:
        if is_limited:
            lookup_limits.check_left(row.uploaded_by_id, clock())
        found = _Check(row, keys, clock).run()
        _answer(row, found, clock(), is_limited=is_limited)
        return found
    except _Unnamed as unnamed:
        row.move(ImportStatus.UNNAMED, {ImportStatus.UPLOADED}, header=unnamed.header)
    except (NoList, SealBroken, TooManyQuestions) as refusal:
        _fail(row, str(refusal))
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        # Whatever somebody's file has found out about this code: once is enough. Its words may
        # quote the file.
        logger.error("Import %s cannot be checked: %s", row.pk, type(error).__name__)
        _fail(row, _("The file cannot be read."))
    return Counter()


@transaction.atomic
def _answer(row: Import, found: Counter[str], now: dt.datetime, *, is_limited: bool) -> None:
    """What it costs, what it says and who asked: together, or nothing. Raises TooManyQuestions."""
    if is_limited:
        lookup_limits.spend(row.uploaded_by_id, now)
    if row.settle_check({name: found[name] for name in COUNTS}):
        row.chunks.all().delete()
        record(AuditAction.CHECKED, row, by=row.uploaded_by, now=now, detail=row.said())


def _forget_an_earlier_try(row: Import) -> None:
    row.staged.all().delete()
    row.problems.all().delete()


def _fail(row: Import, why: str) -> None:
    with transaction.atomic():
        row.move(ImportStatus.FAILED, {ImportStatus.UPLOADED}, failure=why[:300])
        _forget_an_earlier_try(row)
        row.chunks.all().delete()


@dataclass(frozen=True)
class _Line:
    """What is used of one row."""

    number: int
    address: str
    address_hash: bytes
    edition: Edition | None
    consented_at: dt.datetime | None
    is_refused: bool


@dataclass
class _Check:
    """One pass over a file."""

    row: Import
    keys: WorkerKeys
    clock: Clock
    hash_generation: int = 0
    """The list's during one batch."""
    layout: list[Column] = field(default_factory=list)
    editions: dict[str, Edition] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """Returns what was found. Raises NoList, SealBroken, _Unnamed."""
        editions = list(Edition.objects.all())
        self.editions = {
            name.lower(): edition for edition in editions for name in (edition.code, edition.name)
        }
        for code, edition in ((code, one) for one in editions for code in one.languages):
            self.editions.setdefault(code, edition)
        read = rows(self._pieces)
        first = next(read, None)
        body = itertools.chain(self._recognise(first), read)
        while batch := list(itertools.islice(body, BATCH)):
            with transaction.atomic():
                self._stage(batch)
            self.row.renew(self.clock())
        return self.found

    def _pieces(self) -> Iterator[bytes]:
        # By number: each piece is opened only when it is read.
        for position in range(self.row.chunks.count()):
            sealed = self.row.chunks.values_list("sealed", flat=True).get(position=position)
            yield self.keys.open_intake(bytes(sealed), purpose(self.row.pk, position))

    def _recognise(self, first: Row | None) -> list[Row]:
        """What of the first row is data: all of it where the file names no columns."""
        if first is None:
            raise NoList(_("The file is empty."))
        cells = first.cells or []
        if len(cells) > MOST_COLUMNS:
            raise NoList(_("The first line has more columns than a list could have."))
        if self.row.columns:
            self.layout = [Column(one) for one in self.row.columns]
        elif len(cells) == 1 and columns.looks_like_an_address(cells[0]):
            # A bare list of addresses needs no name above them.
            self.layout = [Column.ADDRESS]
            return [first]
        elif any("@" in cell for cell in cells):
            raise NoList(
                _("The first line is one of readers. Write a line above it that names the columns.")
            )
        else:
            self.layout = columns.recognise(cells)
        if Column.ADDRESS not in self.layout:
            raise _Unnamed(columns.names_to_keep(cells))
        return []

    # --- One batch ---------------------------------------------------------------------

    def _stage(self, batch: list[Row]) -> None:
        # A file takes minutes, and the keys may be rotated meanwhile.
        self.keys = sealing.worker_keys()
        self.hash_generation = HashGeneration.held(self.keys)
        lines, problems = [], []
        for row in batch:
            found = self._line(row)
            if isinstance(found, _Line):
                lines.append(found)
            else:
                problems.append((row.line, found))
        self._note(problems)
        staged, refused, counts = self._sort(lines)
        StagedReader.objects.bulk_create(staged)
        again = self.row.staged.filter(address_hash__in=refused, is_refused=False)
        # What the file calls gone in a later line is not new after all.
        counts["new"] -= again.update(is_refused=True, sealed_address=b"")
        # In this process's memory: what the row says while it is read, the web process reads too.
        self.found.update(counts)
        self.found.update(lines=len(batch), invalid=len(problems))

    def _line(self, row: Row) -> _Line | Problem:
        # With more cells than columns nobody knows which is which: a name's comma moves a status.
        if row.cells is None or any(cell.strip() for cell in row.cells[len(self.layout) :]):
            return Problem.BROKEN
        said: dict[Column, str] = {}
        is_refused = False
        cells = [*row.cells, *[""] * (len(self.layout) - len(row.cells))]
        for column, cell in zip(self.layout, cells, strict=False):
            if column in MAY_BE_SEVERAL:
                is_refused |= columns.says_gone(column, cell)
            elif column is not Column.DROPPED:
                said[column] = cell.strip()
        # An export of ours begins what a spreadsheet would take for a formula with a quote.
        typed = said.get(Column.ADDRESS, "").removeprefix("'")
        if not typed:
            return Problem.NO_ADDRESS
        try:
            address = addresses.normalise(typed)
        except InvalidAddress:
            return Problem.BAD_ADDRESS
        edition = self._edition(said)
        if edition is None and not is_refused:
            return Problem.NO_EDITION
        return _Line(
            row.line,
            address,
            self.keys.hash_address(address, self.hash_generation),
            edition,
            columns.parse_moment(said.get(Column.CONSENT, "")),
            is_refused,
        )

    def _edition(self, said: dict[Column, str]) -> Edition | None:
        for column in (Column.EDITION, Column.LANGUAGE):
            name = said.get(column, "").lower()
            # A locale such as be-BY or ru_RU is read by its language.
            for one in (name, name.replace("_", "-").partition("-")[0]):
                if one in self.editions:
                    return self.editions[one]
            if name and column is Column.EDITION:
                return None
        return self.row.edition

    def _note(self, problems: list[tuple[int, Problem]]) -> None:
        room = max(MOST_PROBLEMS - self.row.problems.count(), 0) if problems else 0
        ImportProblem.objects.bulk_create(
            ImportProblem(belongs_to=self.row, line=line, problem=problem)
            for line, problem in problems[:room]
        )

    def _sort(self, lines: list[_Line]) -> tuple[list[StagedReader], set[bytes], dict[str, int]]:
        """Rows to stage, hashes of whom the file calls gone, and what is counted."""
        hashes = [line.address_hash for line in lines]
        on_list, suppressed = _known(hashes)
        staged_before = set(
            map(
                bytes,
                self.row.staged.filter(address_hash__in=hashes).values_list(
                    "address_hash", flat=True
                ),
            )
        )
        staged: dict[bytes, StagedReader] = {}
        refused: set[bytes] = set()
        counts = dict.fromkeys(COUNTS, 0)
        for line in lines:
            mark = line.address_hash
            if line.is_refused:
                counts["refused"] += 1
                if mark in staged and not staged[mark].is_refused:
                    counts["new"] -= 1
                refused.add(mark)
                if mark not in staged_before:
                    staged[mark] = self._staged(line)
            elif mark in suppressed:
                counts["suppressed"] += 1
            elif mark in on_list:
                counts["known"] += 1
            elif mark in staged or mark in staged_before:
                counts["doubled"] += 1
            else:
                counts["new"] += 1
                staged[mark] = self._staged(line)
        return list(staged.values()), refused & staged_before, counts

    def _staged(self, line: _Line) -> StagedReader:
        reader, now = random_id(), self.clock()
        # Signed up in the future? Then the date is no date of a consent.
        consented = line.consented_at if line.consented_at and line.consented_at <= now else None
        return StagedReader(
            belongs_to=self.row,
            reader=reader,
            address_hash=line.address_hash,
            sealed_address=b"" if line.is_refused else self.keys.seal_address(line.address, reader),
            key_generation=self.keys.generation,
            provider=addresses.provider_of(line.address),
            edition=line.edition,
            language=line.edition.language if line.edition else "",
            consented_at=consented,
            is_refused=line.is_refused,
        )


def _known(hashes: list[bytes]) -> tuple[set[bytes], set[bytes]]:
    """Which of them are on the list, and which must not be written to."""
    on_list: set[bytes] = set()
    suppressed = set(
        map(
            bytes,
            Suppression.objects.filter(address_hash__in=hashes).values_list(
                "address_hash", flat=True
            ),
        )
    )
    known = Subscriber.objects.filter(address_hash__in=hashes).values_list("address_hash", "status")
    for mark, status in known:
        (suppressed if status in GONE else on_list).add(bytes(mark or b""))
    return on_list, suppressed
