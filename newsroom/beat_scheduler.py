"""Beat's scheduler: it keeps no file, and a clock that is put back does not stop it."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler


class TickScheduler(Scheduler):
    """For plain intervals only, as the tick is.

    Nothing is kept over a restart: what is due stands in the database, so a tick too many
    costs one query. The stock scheduler sleeps until the wall clock has caught up with the
    time of its next run: a clock put back by a day would cost a day of letters.
    """

    _heap: list[Any] | None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One due task; returns the seconds until the next look."""
        if self._heap and self._is_out_of_reach(*self._heap[0]):
            for entry in self.schedule.values():
                entry.last_run_at = entry.default_now()
            self._heap = None
        return float(super().tick(*args, **kwargs))

    def _is_out_of_reach(self, at: float, _priority: int, entry: Any) -> bool:
        """Whether the next run is further ahead than its interval is long."""
        now: float = entry.default_now().timestamp()
        return at > now + float(entry.schedule.seconds) + 1
