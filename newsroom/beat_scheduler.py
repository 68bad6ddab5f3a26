"""Beat's scheduler, without a file and safe against a clock that is set back."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler


class IntervalScheduler(Scheduler):
    """For plain intervals only.

    Nothing is stored over a restart: what is due is in the database, so an extra tick costs one
    query. Celery's schedulers sleep until the wall clock reaches the next run: after the clock was
    set back by a day, no letter would leave for a day.
    """

    _heap: list[Any] | None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Runs one due task; returns the seconds until the next call."""
        if self._heap and self._is_too_far_ahead(*self._heap[0]):
            for entry in self.schedule.values():
                entry.last_run_at = entry.default_now()
            self._heap = None
        return float(super().tick(*args, **kwargs))

    def _is_too_far_ahead(self, at: float, _priority: int, entry: Any) -> bool:
        """Whether the next run is further away than its interval."""
        now: float = entry.default_now().timestamp()
        return at > now + float(entry.schedule.seconds) + 1
