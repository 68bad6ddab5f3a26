"""How much may be asked about who is on the list. Counted by a worker, where the answer is made.

A row that asks is written by the web process, and so is the name of who asks: hence a limit for
all together stands beside each one's own.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from newsletter.models import WorkerQuota
from newsletter.models.spending import DAY, window_start

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
    since = window_start(now, DAY)
    with transaction.atomic():
        for what, most in _limits(asker):
            if not WorkerQuota.spend(what, since, most):
                raise TooManyQuestions


def check_left(asker: int | None, now: dt.datetime, waiting: int = 0) -> None:
    """For a page that would rather say so beforehand. Raises TooManyQuestions."""
    since = window_start(now, DAY)
    if any(WorkerQuota.spent(what, since) + waiting >= most for what, most in _limits(asker)):
        raise TooManyQuestions


def is_first_refusal(now: dt.datetime) -> bool:
    """Whether it is the day's first: one is written down, a flood of them is not."""
    return WorkerQuota.spend(REFUSED, window_start(now, DAY), 1)


def _limits(asker: int | None) -> list[tuple[str, int]]:
    """In the order in which their rows are locked, which is the same for everybody."""
    return [
        (TOTAL, settings.LIST_QUESTIONS_PER_DAY_TOTAL),
        (f"{TOTAL} of {asker}", settings.LIST_QUESTIONS_PER_DAY),
    ]
