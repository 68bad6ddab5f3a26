"""Budgets: how much of something was used in a stretch of time. Counts, and nobody's name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Greatest

CONFIRMATIONS, TRAPPED, OVERFULL = "confirmations", "trapped", "overfull"
"""What is counted for everybody."""
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def window_start(now: dt.datetime, length: dt.timedelta) -> dt.datetime:
    """When the window of this length began that `now` falls into; windows follow UTC."""
    return now - (now - dt.datetime.min.replace(tzinfo=dt.UTC)) % length


@dataclass(frozen=True)
class Limit:
    """So many in one window."""

    what: str
    since: dt.datetime
    most: int
    opens_at: dt.datetime | None = None
    """When what it holds back may go; None where it is given up."""


class Quota(models.Model):
    """How often something was done since `since`."""

    what = models.CharField(max_length=120)
    since = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.what}: {self.count}"

    @classmethod
    def spend(cls, what: str, since: dt.datetime, most: int) -> bool:
        """Counts one more; False, and nothing is counted, once `most` are."""
        cls._default_manager.get_or_create(what=what, since=since)
        row = cls._default_manager.filter(what=what, since=since, count__lt=most)
        return bool(row.update(count=F("count") + 1))

    @classmethod
    def spend_each(cls, limits: Iterable[Limit]) -> Limit | None:
        """Counts one more in each; else the limit that is reached, and nothing is counted.

        Rows are locked in the order of the limits, which is to be the same for everybody.
        """
        with transaction.atomic():
            for limit in limits:
                if not cls.spend(limit.what, limit.since, limit.most):
                    transaction.set_rollback(True)
                    return limit
        return None

    @classmethod
    def lock(cls, what: str, since: dt.datetime) -> Self:
        """The window's row, which nobody else changes before the transaction ends."""
        cls._default_manager.get_or_create(what=what, since=since)
        return cls._default_manager.select_for_update().get(what=what, since=since)

    @classmethod
    def count_more(cls, what: str, since: dt.datetime, number: int) -> None:
        """Counts so many more, whatever the budget says."""
        cls._default_manager.get_or_create(what=what, since=since)
        cls._default_manager.filter(what=what, since=since).update(count=F("count") + number)

    @classmethod
    def give_back(cls, what: str, since: dt.datetime, number: int = 1) -> None:
        """What was counted did not happen after all."""
        less = Greatest(F("count") - number, 0)
        cls._default_manager.filter(what=what, since=since).update(count=less)

    @classmethod
    def spent(cls, what: str, since: dt.datetime) -> int:
        """How many were counted."""
        row = cls._default_manager.filter(what=what, since=since).first()
        return row.count if row else 0


class Spending(Quota):
    """What any process of ours may count."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["what", "since"], name="one_count_per_window")
        ]


class WorkerQuota(Quota):
    """What bounds how much of the list a worker gives away, and how many strangers it writes to.

    A worker alone writes it, so that nothing the web process can write lifts such a limit.
    """

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["what", "since"], name="one_worker_count_per_window")
        ]
