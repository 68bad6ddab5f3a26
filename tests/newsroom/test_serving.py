"""Which of the web's processes takes a connection."""

import os
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from gunicorn.workers.gthread import ThreadWorker

from newsroom.serving import Worker

THREADS = 4


@pytest.mark.parametrize(
    ("connections", "left_open", "done"),
    [
        (THREADS - 1, 0, ["take"]),
        (THREADS, 0, ["give way", "take"]),
        (THREADS + 20, 20, ["give way", "take"]),
        (THREADS + 20, 21, ["take"]),
    ],
)
def test_a_process_without_a_free_thread_gives_way_before_it_takes_one_more(
    monkeypatch: pytest.MonkeyPatch, connections: int, left_open: int, done: list[str]
) -> None:
    steps = Mock()
    monkeypatch.setattr(os, "sched_yield", lambda: steps("give way"))
    monkeypatch.setattr(ThreadWorker, "accept", lambda *_about: steps("take"))
    worker: Any = Worker.__new__(Worker)
    worker.cfg, worker.nr_conns = SimpleNamespace(threads=THREADS), connections
    worker.keepalived_conns, worker.pending_conns = range(left_open), ()
    worker.accept(Mock())
    assert [call.args[0] for call in steps.call_args_list] == done
