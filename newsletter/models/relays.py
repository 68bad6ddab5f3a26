"""The relays as they were last met, and how fast letters may leave."""

from __future__ import annotations

import datetime as dt

from django.db import models

FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(seconds=30), dt.timedelta(minutes=5)
"""How long a relay that failed is left alone, where there is another: doubles each time."""
MINUTE = dt.timedelta(minutes=1)
SHORTEST_SAVING = dt.timedelta(seconds=2)
"""What was not used within so long is lost: a minute's letters never leave all at once."""
FARTHEST_AHEAD = dt.timedelta(minutes=5)
"""A time further ahead was written by a clock that has been set back since."""


class RelayState(models.Model):
    """How a relay answered last. Its name is that of the setting; no address, no password."""

    name = models.CharField(max_length=100, primary_key=True)
    works_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    down_until = models.DateTimeField(null=True)
    refuses = models.BooleanField(default=False)
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        return self.failures > 0

    def is_down(self, now: dt.datetime) -> bool:
        """It is to be left alone, as long as another one can be used."""
        return self.down_until is not None and now < self.down_until <= now + 2 * LONGEST_PAUSE

    def fail(self, cause: str, now: dt.datetime, *, refuses: bool = False) -> None:
        """It could not be reached, broke off before it took anything, or does not let us in."""
        pause = min(FIRST_PAUSE * int(2 ** min(self.failures, 10)), LONGEST_PAUSE)
        self.failures += 1
        self.failing_since = self.failing_since or now
        self.down_until = now + (LONGEST_PAUSE if refuses else pause)
        self.refuses, self.cause = refuses, cause[:200]
        self.save()

    def work(self, now: dt.datetime) -> None:
        """It took letters."""
        self.works_since, self.failures, self.failing_since = now, 0, None
        self.down_until, self.refuses, self.cause = None, False, ""
        self.save()


class Throttle(models.Model):
    """Lets so many through a minute, evenly; the generic cell rate algorithm of ITU-T I.371."""

    what = models.CharField(max_length=120, primary_key=True)
    paid_until = models.DateTimeField()
    """What has been let through is paid for up to here, at the pace of the limit."""

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.what

    def room(self, per_minute: int, now: dt.datetime) -> int:
        """How many may go through now: no more than `per_minute` in any minute."""
        return max((now - self._since(per_minute, now)) // _pace(per_minute), 0)

    def opens_at(self, per_minute: int, now: dt.datetime) -> dt.datetime:
        """When the next one may go through."""
        return self._since(per_minute, now) + _pace(per_minute)

    def pass_through(self, count: int, per_minute: int, now: dt.datetime) -> None:
        """So many go, whether there was room or not; fewer than none give it back."""
        paid = self._since(per_minute, now) + count * _pace(per_minute)
        self.paid_until = min(paid, now + FARTHEST_AHEAD)

    def _since(self, per_minute: int, now: dt.datetime) -> dt.datetime:
        if self.paid_until > now + 2 * FARTHEST_AHEAD:
            return now
        return max(self.paid_until, now - _saving(per_minute))


def _pace(per_minute: int) -> dt.timedelta:
    """From one to the next, such that what was saved up never makes a minute exceed its limit."""
    return max(MINUTE / per_minute, (MINUTE + SHORTEST_SAVING) / (per_minute + 1))


def _saving(per_minute: int) -> dt.timedelta:
    """How long room is saved up: long enough for one."""
    return max(SHORTEST_SAVING, _pace(per_minute))
