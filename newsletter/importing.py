"""A list from elsewhere: a CSV of people who confirmed there."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from newsletter import addresses, subscribing
from newsletter.addresses import InvalidAddress
from newsletter.models import Edition
from newsroom import sealing

COLUMNS = {"email", "edition"}


class CannotImport(Exception):
    """The file as a whole cannot be read; says what to do."""


@dataclass
class ImportReport:
    """What became of the lines. Holds line numbers and reasons, never an address."""

    added: int = 0
    known_or_suppressed: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


def import_subscribers(lines: Iterable[str], now: dt.datetime) -> ImportReport:
    """Adds each `email,edition` as confirmed; keeps going after a broken line.

    Brings back nobody who left, bounced or complained, and imports nobody twice.
    Raises CannotImport, KeyMissing.
    """
    keys = sealing.worker_keys()
    editions = {edition.code: edition for edition in Edition.objects.all()}
    report = ImportReport()
    for number, row in _rows(lines):
        try:
            edition = editions[(row.get("edition") or "").strip().lower()]
            address = addresses.normalise(row.get("email") or "")
        except InvalidAddress as error:
            report.bad.append((number, str(error)))
            continue
        except KeyError:
            known = ", ".join(sorted(editions)) or "none yet"
            report.bad.append((number, f"There is no such edition. There are: {known}."))
            continue
        if subscribing.add_confirmed(address, edition, now, keys) is None:
            report.known_or_suppressed += 1
        else:
            report.added += 1
    return report


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Rows by their line number, under lower-case column names."""
    reader = csv.DictReader(lines, restkey="", strict=True)
    try:
        names = [
            (name or "").strip().lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").lower()
            for name in reader.fieldnames or []
        ]
        if not set(names) >= COLUMNS:
            raise CannotImport("The first line must name the columns: email,edition")
        reader.fieldnames = names
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise CannotImport(
                    f"Line {reader.line_num} cannot be read ({error}). "
                    "The lines before it were imported; mend it and import again."
                ) from None
            if row is None:
                return
            yield reader.line_num, row
    except UnicodeDecodeError:
        raise CannotImport("The file is not UTF-8. Save it as CSV in UTF-8.") from None
