"""Due times that survive a clock that jumps."""

from __future__ import annotations

import datetime as dt

from django.db.models import Q


def is_due(column: str, now: dt.datetime, max_wait: dt.timedelta) -> Q:
    """Rows whose time in `column` has come.

    No row is ever scheduled further ahead than `max_wait`. A time beyond twice that was written
    under a clock that ran ahead, and counts as due. Twice, since clocks of two machines differ.
    """
    return Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": now + 2 * max_wait})
