"""Budgets: how much of something was used in a stretch of time. Counts, and nobody's name."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import F

CONFIRMATIONS, TRAPPED = "confirmations", "trapped"
"""What is counted for everybody."""
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def window_start(now: dt.datetime, length: dt.timedelta) -> dt.datetime:
    """When the window of this length began that `now` falls into; windows follow UTC."""
    return now - (now - dt.datetime.min.replace(tzinfo=dt.UTC)) % length


class Spending(models.Model):
    """How often something was done since `since`."""

    what = models.CharField(max_length=40)
    since = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["what", "since"], name="one_count_per_window")
        ]

    def __str__(self) -> str:
        return f"{self.what}: {self.count}"

    @classmethod
    def spend(cls, what: str, since: dt.datetime, most: int) -> bool:
        """Counts one more; False, and nothing is counted, once `most` are."""
        cls.objects.get_or_create(what=what, since=since)
        row = cls.objects.filter(what=what, since=since, count__lt=most)
        return bool(row.update(count=F("count") + 1))

    @classmethod
    def give_back(cls, what: str, since: dt.datetime) -> None:
        """What was counted did not happen after all."""
        cls.objects.filter(what=what, since=since, count__gt=0).update(count=F("count") - 1)

    @classmethod
    def spent(cls, what: str, since: dt.datetime) -> int:
        """How many were counted."""
        row = cls.objects.filter(what=what, since=since).first()
        return row.count if row else 0
