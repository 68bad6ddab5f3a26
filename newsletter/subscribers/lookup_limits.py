"""How much may be asked about who is on the list. Counted by a worker, where the answer is made.

A row that asks is written by the web process, and so is the name of who asks: hence a limit for
all together stands beside each one's own.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.utils.translation import gettext as _

from newsletter.models import WorkerQuota
from newsletter.models.quotas import DAY, Limit, window_start

TOTAL = "questions"
REFUSED = "questions refused"


class TooManyQuestions(Exception):
    """The day's questions are used up."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "Today’s questions about the list are used up, yours or everybody’s. "
                "Ask again tomorrow."
            )
        )


def spend(asker: int | None, now: dt.datetime) -> None:
    """Counts one question. Within the transaction of its answer. Raises TooManyQuestions."""
    if WorkerQuota.spend_each(_limits(asker, now)):
        raise TooManyQuestions


def check_left(asker: int | None, now: dt.datetime, waiting: int = 0) -> None:
    """For a page that would rather say so beforehand. Raises TooManyQuestions."""
    limits = _limits(asker, now)
    if any(WorkerQuota.spent(one.what, one.since) + waiting >= one.most for one in limits):
        raise TooManyQuestions


def is_first_refusal(now: dt.datetime) -> bool:
    """Whether it is the day's first: one is written down, a flood of them is not."""
    return WorkerQuota.spend(REFUSED, window_start(now, DAY), 1)


def _limits(asker: int | None, now: dt.datetime) -> list[Limit]:
    day = window_start(now, DAY)
    return [
        Limit(TOTAL, day, settings.LIST_QUESTIONS_PER_DAY_TOTAL),
        Limit(f"{TOTAL} of {asker}", day, settings.LIST_QUESTIONS_PER_DAY),
    ]
