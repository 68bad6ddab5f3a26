"""Beat's tick goes on, whatever the clock does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine

from newsroom.beat_scheduler import IntervalScheduler
from newsroom.celery import app

START = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)


class Noted(IntervalScheduler):
    """Notes what it would have sent to the broker."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app, lazy=False)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        if entry.task == "newsletter.tick":
            self.sent.append(entry.task)


@pytest.fixture
def beat() -> Noted:
    with time_machine.travel(START, tick=False):
        beat = Noted()
        beat.tick()
    return beat


def run_for(beat: Noted, start: dt.datetime, minutes: int) -> int:
    """Lets it look every second, and returns how many ticks it sent."""
    before = len(beat.sent)
    with time_machine.travel(start, tick=False) as clock:
        for _second in range(minutes * 60):
            beat.tick()
            clock.shift(1)
    return len(beat.sent) - before


def test_it_is_the_scheduler_that_beat_uses() -> None:
    assert app.conf.beat_scheduler == f"{IntervalScheduler.__module__}:{IntervalScheduler.__name__}"


def test_it_runs_a_task_once_a_minute(beat: Noted) -> None:
    assert run_for(beat, START, 10) in {9, 10}


@pytest.mark.parametrize("jump", [dt.timedelta(days=-1), dt.timedelta(hours=-1)])
def test_a_clock_that_is_put_back_costs_a_minute_and_no_more(
    beat: Noted, jump: dt.timedelta
) -> None:
    run_for(beat, START, 3)
    assert run_for(beat, START + dt.timedelta(minutes=3) + jump, 5) >= 4


def test_a_clock_set_forward_runs_a_task_once(beat: Noted) -> None:
    run_for(beat, START, 3)
    assert run_for(beat, START + dt.timedelta(days=1), 5) <= 6
