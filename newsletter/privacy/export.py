"""Exports the list in clear, where the worker's key is. Needs a reason and is audited first."""

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
MIN_REASON_LENGTH = 10
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Cells that a spreadsheet takes for a formula (OWASP, CSV Injection)."""
ESCAPE_PREFIX = "'"
BATCH_SIZE = 2000


class ReasonRequired(Exception):
    """An export needs one."""


def export_subscribers(
    out: TextIO, *, edition: Edition | None, reason: str, by: Any, now: dt.datetime
) -> int:
    """Writes active subscribers as CSV that the import reads back; returns how many.

    Streams. Raises ReasonRequired, KeyNotFound, DecryptionError, OSError.
    """
    if len(reason.strip()) < MIN_REASON_LENGTH:
        raise ReasonRequired(_("Write in a sentence why the list is needed in clear."))
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
    for one in rows.iterator(BATCH_SIZE):
        confirmed_at = one.confirmed_at.isoformat() if one.confirmed_at else ""
        cells = (one.address(keys), one.edition.code, one.variant, one.language, confirmed_at)
        writer.writerow([escape_cell(cell) for cell in cells])
        count += 1
    return count


def escape_cell(cell: str) -> str:
    """A cell that no spreadsheet evaluates. Local parts may begin so (RFC 5321, section 4.1.2).

    The prefix itself is escaped too: the import removes one.
    """
    return f"{ESCAPE_PREFIX}{cell}" if cell.startswith((ESCAPE_PREFIX, *FORMULA_PREFIXES)) else cell
