"""The list in clear, where the private key is: with a reason, and written down before it begins."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any, TextIO

from django.utils.translation import gettext as _

from keys import sealing
from newsletter.models import Edition, Subscriber
from staff.audit import record
from staff.models import AuditAction

COLUMNS = ("email", "edition", "variant", "language", "confirmed_at")
SHORTEST_REASON = 10
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""
MARK = "'"
AT_ONCE = 2000


class NoReason(Exception):
    """An export needs one."""


def export(out: TextIO, *, edition: Edition | None, reason: str, by: Any, now: dt.datetime) -> int:
    """Writes the active readers as CSV that the importer reads back; returns how many.

    In flat memory. Raises NoReason, KeyMissing, SealBroken, OSError.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise NoReason(_("Write in a sentence why the list is needed in clear."))
    keys = sealing.worker_keys()
    rows = Subscriber.objects.active().select_related("edition").order_by("pk")
    if edition is not None:
        rows = rows.of_edition(edition)
    subject = edition if edition is not None else Subscriber(pk=0)
    record(
        AuditAction.EXPORTED, subject, by=by, now=now, detail=f"{rows.count()}: {reason.strip()}"
    )
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for reader in rows.iterator(AT_ONCE):
        moment = reader.confirmed_at.isoformat() if reader.confirmed_at else ""
        cells = (reader.address(keys), reader.edition.code, reader.variant, reader.language, moment)
        writer.writerow([harmless(cell) for cell in cells])
        count += 1
    return count


def harmless(cell: str) -> str:
    """A cell that no spreadsheet computes. An address may begin so: RFC 5321 allows it.

    It may begin with the mark itself too, which gets another one: the import takes one off.
    """
    return f"{MARK}{cell}" if cell.startswith((MARK, *FORMULA)) else cell
