"""The dry run: reads the sealed file and stages whom it would add. Nobody is added yet.

It reveals who is on the list, so it counts as one lookup and is audited, whatever its size: one
address can be padded with made-up ones. The row stores rounded counts; exact ones are only
returned, for whoever runs it where the worker's key is.
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
from keys.sealing import DecryptionError, WorkerKeys
from newsletter.imports import columns
from newsletter.imports.columns import REPEATABLE_COLUMNS, Column
from newsletter.imports.reading import Row, UnreadableFile, read_rows
from newsletter.imports.upload import chunk_purpose
from newsletter.models import (
    Edition,
    HashGeneration,
    Import,
    ImportProblem,
    ImportStatus,
    LineProblem,
    StagedSubscriber,
    Subscriber,
    Suppression,
)
from newsletter.models.imports import COUNTS
from newsletter.models.subscribers import OFF_LIST, random_id
from newsletter.subscribers import addresses, lookup_limits
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyLookups
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

BATCH_SIZE = 2000
"""Rows per transaction; bounds the memory."""
MAX_LISTED_PROBLEMS = 1000
"""Further invalid lines are only counted."""
MAX_COLUMNS = 100

Clock = Callable[[], dt.datetime]


class _UnknownColumns(Exception):
    """No column was detected as the address."""

    def __init__(self, header: list[str]) -> None:
        super().__init__()
        self.header = header


def check_import(import_id: int, clock: Clock, *, is_limited: bool = True) -> Counter[str] | None:
    """Checks an uploaded file; None if there is nothing to do or another worker has the lease.

    Returns the exact counts, empty where it failed. Killed, it starts again. Without limit only
    where the worker's key is. Raises KeyNotFound.
    """
    keys = sealing.worker_keys()
    row = Import.objects.filter(pk=import_id, status=ImportStatus.UPLOADED).first()
    if row is None or not row.take(clock()):
        return None
    _reset(row)
    try:
        if is_limited:
            lookup_limits.check_quota(row.uploaded_by_id, clock())
        counts = _DryRun(row, keys, clock).run()
        _finish(row, counts, clock(), is_limited=is_limited)
        return counts
    except _UnknownColumns as unknown:
        row.transition(ImportStatus.UNNAMED, {ImportStatus.UPLOADED}, header=unknown.header)
    except (UnreadableFile, DecryptionError, TooManyLookups) as refusal:
        _fail(row, str(refusal))
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        # A file that breaks this code must not be tried again. The message may quote the file.
        logger.error("Import %s cannot be checked: %s", row.pk, type(error).__name__)
        _fail(row, _("The file cannot be read."))
    return Counter()


@transaction.atomic
def _finish(row: Import, counts: Counter[str], now: dt.datetime, *, is_limited: bool) -> None:
    """Limit, result and audit in one transaction. Raises TooManyLookups."""
    if is_limited:
        lookup_limits.spend_lookup(row.uploaded_by_id, now)
    if row.record_dry_run({name: counts[name] for name in COUNTS}):
        row.chunks.all().delete()
        record(AuditAction.CHECKED, row, by=row.uploaded_by, now=now, detail=row.said())


def _reset(row: Import) -> None:
    row.staged.all().delete()
    row.problems.all().delete()


def _fail(row: Import, why: str) -> None:
    with transaction.atomic():
        row.transition(ImportStatus.FAILED, {ImportStatus.UPLOADED}, failure=why[:300])
        _reset(row)
        row.chunks.all().delete()


@dataclass(frozen=True)
class _Line:
    """A parsed row."""

    number: int
    address: str
    address_hash: bytes
    edition: Edition | None
    consented_at: dt.datetime | None
    is_refused: bool


@dataclass
class _DryRun:
    """One pass over a file."""

    row: Import
    keys: WorkerKeys
    clock: Clock
    hash_generation: int = 0
    """Locked during each batch."""
    layout: list[Column] = field(default_factory=list)
    editions: dict[str, Edition] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """Returns the counts. Raises UnreadableFile, DecryptionError, _UnknownColumns."""
        editions = list(Edition.objects.all())
        self.editions = {
            name.lower(): edition for edition in editions for name in (edition.code, edition.name)
        }
        for code, edition in ((code, one) for one in editions for code in one.languages):
            self.editions.setdefault(code, edition)
        rows = read_rows(self._chunks)
        first = next(rows, None)
        body = itertools.chain(self._detect_layout(first), rows)
        while batch := list(itertools.islice(body, BATCH_SIZE)):
            with transaction.atomic():
                self._stage(batch)
            self.row.renew(self.clock())
        return self.counts

    def _chunks(self) -> Iterator[bytes]:
        # By position: each chunk is opened only when it is read.
        for position in range(self.row.chunks.count()):
            sealed = self.row.chunks.values_list("sealed", flat=True).get(position=position)
            yield self.keys.open_intake(bytes(sealed), chunk_purpose(self.row.pk, position))

    def _detect_layout(self, first: Row | None) -> list[Row]:
        """Returns the first row if it is data, where the file has no header."""
        if first is None:
            raise UnreadableFile(_("The file is empty."))
        cells = first.cells or []
        if len(cells) > MAX_COLUMNS:
            raise UnreadableFile(_("The first line has more columns than a list could have."))
        if self.row.columns:
            self.layout = [Column(one) for one in self.row.columns]
        elif len(cells) == 1 and columns.looks_like_address(cells[0]):
            # A bare list of addresses needs no header.
            self.layout = [Column.ADDRESS]
            return [first]
        elif any("@" in cell for cell in cells):
            raise UnreadableFile(
                _("The first line is one of readers. Write a line above it that names the columns.")
            )
        else:
            self.layout = columns.detect_columns(cells)
        if Column.ADDRESS not in self.layout:
            raise _UnknownColumns(columns.storable_header(cells))
        return []

    # --- One batch ---------------------------------------------------------------------

    def _stage(self, batch: list[Row]) -> None:
        # A file takes minutes; the keys may be rotated meanwhile.
        self.keys = sealing.worker_keys()
        self.hash_generation = HashGeneration.lock_shared(self.keys)
        lines, problems = [], []
        for row in batch:
            parsed = self._parse(row)
            if isinstance(parsed, _Line):
                lines.append(parsed)
            else:
                problems.append((row.line, parsed))
        self._save_problems(problems)
        staged, refused, counts = self._classify(lines)
        StagedSubscriber.objects.bulk_create(staged)
        again = self.row.staged.filter(address_hash__in=refused, is_refused=False)
        # An earlier line of an address that a later line excludes is not new.
        counts["new"] -= again.update(is_refused=True, sealed_address=b"")
        # In memory until the end: the web process could read interim counts from the row.
        self.counts.update(counts)
        self.counts.update(lines=len(batch), invalid=len(problems))

    def _parse(self, row: Row) -> _Line | LineProblem:
        # With more cells than columns none can be trusted: an unquoted comma shifts the status.
        if row.cells is None or any(cell.strip() for cell in row.cells[len(self.layout) :]):
            return LineProblem.BROKEN
        values: dict[Column, str] = {}
        is_refused = False
        cells = [*row.cells, *[""] * (len(self.layout) - len(row.cells))]
        for column, cell in zip(self.layout, cells, strict=False):
            if column in REPEATABLE_COLUMNS:
                is_refused |= columns.means_unsubscribed(column, cell)
            elif column is not Column.DROPPED:
                values[column] = cell.strip()
        # export_list escapes spreadsheet formulas with a leading quote.
        typed = values.get(Column.ADDRESS, "").removeprefix("'")
        if not typed:
            return LineProblem.NO_ADDRESS
        try:
            address = addresses.normalise(typed)
        except InvalidAddress:
            return LineProblem.BAD_ADDRESS
        edition = self._edition(values)
        if edition is None and not is_refused:
            return LineProblem.NO_EDITION
        return _Line(
            row.line,
            address,
            self.keys.hash_address(address, self.hash_generation),
            edition,
            columns.parse_utc_datetime(values.get(Column.CONSENT, "")),
            is_refused,
        )

    def _edition(self, values: dict[Column, str]) -> Edition | None:
        for column in (Column.EDITION, Column.LANGUAGE):
            name = values.get(column, "").lower()
            # The language of a locale such as be-BY or ru_RU.
            for one in (name, name.replace("_", "-").partition("-")[0]):
                if one in self.editions:
                    return self.editions[one]
            if name and column is Column.EDITION:
                return None
        return self.row.edition

    def _save_problems(self, problems: list[tuple[int, LineProblem]]) -> None:
        room = max(MAX_LISTED_PROBLEMS - self.row.problems.count(), 0) if problems else 0
        ImportProblem.objects.bulk_create(
            ImportProblem(belongs_to=self.row, line=line, problem=problem)
            for line, problem in problems[:room]
        )

    def _classify(
        self, lines: list[_Line]
    ) -> tuple[list[StagedSubscriber], set[bytes], dict[str, int]]:
        """Rows to stage, hashes that the file excludes, and counts."""
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
        staged: dict[bytes, StagedSubscriber] = {}
        refused: set[bytes] = set()
        counts = dict.fromkeys(COUNTS, 0)
        for line in lines:
            key = line.address_hash
            if line.is_refused:
                counts["refused"] += 1
                if key in staged and not staged[key].is_refused:
                    counts["new"] -= 1
                refused.add(key)
                if key not in staged_before:
                    staged[key] = self._staged(line)
            elif key in suppressed:
                counts["suppressed"] += 1
            elif key in on_list:
                counts["known"] += 1
            elif key in staged or key in staged_before:
                counts["doubled"] += 1
            else:
                counts["new"] += 1
                staged[key] = self._staged(line)
        return list(staged.values()), refused & staged_before, counts

    def _staged(self, line: _Line) -> StagedSubscriber:
        subscriber_id, now = random_id(), self.clock()
        # A date in the future is no consent date.
        consented = line.consented_at if line.consented_at and line.consented_at <= now else None
        return StagedSubscriber(
            belongs_to=self.row,
            reader=subscriber_id,
            address_hash=line.address_hash,
            sealed_address=(
                b"" if line.is_refused else self.keys.seal_address(line.address, subscriber_id)
            ),
            key_generation=self.keys.generation,
            provider=addresses.provider_of(line.address),
            edition=line.edition,
            language=line.edition.language if line.edition else "",
            consented_at=consented,
            is_refused=line.is_refused,
        )


def _known(hashes: list[bytes]) -> tuple[set[bytes], set[bytes]]:
    """Which of them are on the list, and which are suppressed."""
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
    for address_hash, status in known:
        (suppressed if status in OFF_LIST else on_list).add(bytes(address_hash or b""))
    return on_list, suppressed
