"""Quotas: how often something was done in a time window. Counts only, no names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Greatest

CONFIRMATIONS, TRAPPED, OVERFULL = "confirmations", "trapped", "overfull"
"""Counters for all subscribers together."""
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def window_start(now: dt.datetime, length: dt.timedelta) -> dt.datetime:
    """The start of the window of this length that contains `now`; windows are aligned to UTC."""
    return now - (now - dt.datetime.min.replace(tzinfo=dt.UTC)) % length


@dataclass(frozen=True)
class Limit:
    """At most `most` of `what` in the window since `since`."""

    what: str
    since: dt.datetime
    most: int
    opens_at: dt.datetime | None = None
    """When the rest may go; None where it is given up."""


class AbstractQuota(models.Model):
    """How often `what` was done since `since`."""

    what = models.CharField(max_length=120)
    since = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.what}: {self.count}"

    @classmethod
    def spend(cls, what: str, since: dt.datetime, most: int) -> bool:
        """Counts one more; False, and nothing is counted, once `most` is reached."""
        cls._default_manager.get_or_create(what=what, since=since)
        row = cls._default_manager.filter(what=what, since=since, count__lt=most)
        return bool(row.update(count=F("count") + 1))

    @classmethod
    def spend_each(cls, limits: Iterable[Limit]) -> Limit | None:
        """Counts one more in each; or returns the limit that is reached, and counts nothing.

        Rows are locked in the order of the limits: pass them in the same order everywhere.
        """
        with transaction.atomic():
            for limit in limits:
                if not cls.spend(limit.what, limit.since, limit.most):
                    transaction.set_rollback(True)
                    return limit
        return None

    @classmethod
    def lock(cls, what: str, since: dt.datetime) -> Self:
        """The window's row, locked until the transaction ends."""
        cls._default_manager.get_or_create(what=what, since=since)
        return cls._default_manager.select_for_update().get(what=what, since=since)

    @classmethod
    def count_more(cls, what: str, since: dt.datetime, number: int) -> None:
        """Counts `number` more, whatever the limit."""
        cls._default_manager.get_or_create(what=what, since=since)
        cls._default_manager.filter(what=what, since=since).update(count=F("count") + number)

    @classmethod
    def give_back(cls, what: str, since: dt.datetime, number: int = 1) -> None:
        """Takes back what was counted and did not happen."""
        less = Greatest(F("count") - number, 0)
        cls._default_manager.filter(what=what, since=since).update(count=less)

    @classmethod
    def spent(cls, what: str, since: dt.datetime) -> int:
        """How many were counted in the window."""
        row = cls._default_manager.filter(what=what, since=since).first()
        return row.count if row else 0


class Quota(AbstractQuota):
    """Counters that any process may write."""

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["what", "since"], name="one_count_per_window")
        ]


class WorkerQuota(AbstractQuota):
    """Counters that only a worker writes, so that the web process cannot lift these limits.

    They bound how many lookups are answered and how many confirmations are sent.
    """

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["what", "since"], name="one_worker_count_per_window")
        ]
