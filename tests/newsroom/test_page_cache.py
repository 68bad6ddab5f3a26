"""The site's version as a web process knows it, and the bounded store of what it made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from core.fragment_cache import VersionedCache
from newsroom import page_cache
from newsroom.page_cache import HUNG_QUERY_TIMEOUT_SECONDS, VersionPoller

TIMEOUT = 20


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(page_cache.time, "monotonic", made.monotonic)
    # A busy machine is not what these tests are about.
    monkeypatch.setattr(page_cache, "VERSION_TIMEOUT_SECONDS", TIMEOUT)
    return made


def test_the_version_is_asked_for_once_a_second_at_most(clock: Clock) -> None:
    numbers = iter([7, 8])
    version = VersionPoller(lambda: next(numbers))
    assert [version.current() for _ in range(50)] == [7] * 50
    clock.now += 0.99
    assert version.current() == 7
    clock.now += 0.01
    assert [version.current() for _ in range(50)] == [8] * 50


def test_a_database_that_does_not_answer_is_asked_again_a_second_later(clock: Clock) -> None:
    answers = iter([None, 3])
    version = VersionPoller(lambda: next(answers))
    assert [version.current() for _ in range(5)] == [None] * 5
    clock.now += 1
    assert version.current() == 3


def test_a_database_that_hangs_holds_nobody_up_and_no_old_number_is_used(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = threading.Event(), threading.Event()
    asked = 0

    def ask() -> int:
        nonlocal asked
        asked += 1
        if asked == 2:
            hangs.set()
            goes_on.wait(TIMEOUT)
        return asked

    version = VersionPoller(ask)
    assert version.current() == 1
    monkeypatch.setattr(page_cache, "VERSION_TIMEOUT_SECONDS", 0)
    clock.now += 1
    assert version.current() is None
    assert hangs.wait(TIMEOUT)
    clock.now += 30
    assert [version.current() for _ in range(5)] == [None] * 5
    assert asked == 2
    # Given up, it is asked by another thread, and what the first one says is not listened to.
    monkeypatch.setattr(page_cache, "VERSION_TIMEOUT_SECONDS", TIMEOUT)
    clock.now += HUNG_QUERY_TIMEOUT_SECONDS
    assert version.current() == 3
    goes_on.set()
    assert version.current() == 3


def test_an_answer_is_as_old_as_its_question(clock: Clock) -> None:
    """What was committed after the question may not be in it."""
    numbers = iter([1, 2])

    def slowly() -> int:
        clock.now += 0.9
        return next(numbers)

    version = VersionPoller(slowly)
    assert version.current() == 1
    clock.now += 0.1
    assert version.current() == 2


def test_a_newer_version_empties_the_store_and_an_older_one_gets_nothing() -> None:
    store = VersionedCache[str](10)
    assert store.get("a", 5) is None
    store.put("a", "made at 5", 5)
    assert store.get("a", 5) == "made at 5"
    assert store.get("a", 4) is None
    assert store.get("a", 6) is None
    # A thread that began before the change.
    store.put("a", "made at 5", 5)
    assert store.get("a", 6) is None
    assert len(store) == 0


def test_a_small_store_lets_what_was_asked_for_least_lately_go() -> None:
    small = VersionedCache[str](1000, lambda thing: 200)
    small.get(0, 1)
    for number in range(6):
        small.put(number, "page", 1)
        assert small.get(0, 1), "asked for each time"
    assert [number for number in range(6) if small.get(number, 1)] == [0, 2, 3, 4, 5]


def test_what_would_be_most_of_a_store_is_not_stored() -> None:
    small = VersionedCache[str](1000, len)
    small.get("huge", 1)
    small.put("huge", "x" * 900, 1)
    assert small.get("huge", 1) is None
