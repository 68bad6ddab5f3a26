"""A clock that jumps: nothing waits for a time that only a wrong clock could have named."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q


def is_due(column: str, now: dt.datetime, longest_wait: dt.timedelta) -> Q:
    """Rows whose time has come.

    A time further ahead than twice the longest wait that we ever set was written while the
    clock was ahead. It counts as come, or the row would wait until the clock is there again.
    Twice, because two machines' clocks are never quite the same.
    """
    return Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": now + 2 * longest_wait})
