"""Daily limits of lookups. Counted by a worker, where the answer is made.

The web process writes the lookup and the name of who requested it, so there is a limit for all
staff together beside each one's own.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.utils.translation import gettext as _

from newsletter.models import WorkerQuota
from newsletter.models.quotas import DAY, Limit, window_start

TOTAL_COUNTER = "questions"
REFUSED_COUNTER = "questions refused"


class TooManyLookups(Exception):
    """The day's limit is reached."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "Today’s questions about the list are used up, yours or everybody’s. "
                "Ask again tomorrow."
            )
        )


def spend_lookup(user_id: int | None, now: dt.datetime) -> None:
    """Counts one lookup, within the transaction of its answer. Raises TooManyLookups."""
    if WorkerQuota.spend_each(_limits(user_id, now)):
        raise TooManyLookups


def check_quota(user_id: int | None, now: dt.datetime, waiting: int = 0) -> None:
    """Whether one more is allowed; counts nothing. Raises TooManyLookups."""
    limits = _limits(user_id, now)
    if any(WorkerQuota.spent(one.what, one.since) + waiting >= one.most for one in limits):
        raise TooManyLookups


def is_first_refusal(now: dt.datetime) -> bool:
    """Whether it is the day's first, the only one that is audited."""
    return WorkerQuota.spend(REFUSED_COUNTER, window_start(now, DAY), 1)


def _limits(user_id: int | None, now: dt.datetime) -> list[Limit]:
    day = window_start(now, DAY)
    return [
        Limit(TOTAL_COUNTER, day, settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL),
        Limit(f"{TOTAL_COUNTER} of {user_id}", day, settings.SUBSCRIBER_LOOKUPS_PER_DAY),
    ]
