"""Keys that are in memory only: who shares them, and when they are gone."""

from __future__ import annotations

import datetime as dt
import os
import threading

import pytest

from keys.ephemeral import EphemeralKeys, KeyGone
from keys.sealing import SealBroken

NOW = dt.datetime(2026, 11, 16, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def keys() -> EphemeralKeys:
    return EphemeralKeys(HOUR, kept=3)


def test_what_is_sealed_opens_until_its_key_is_over(keys: EphemeralKeys) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    for later in range(3):
        assert keys.open(sealed, "search", NOW + later * HOUR) == b"words"
    with pytest.raises(KeyGone):
        keys.open(sealed, "search", NOW + 3 * HOUR)


def test_a_key_that_is_over_is_overwritten_by_whoever_asks_next(keys: EphemeralKeys) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    before = keys._memory[:]
    secret = before[12:44]
    assert any(secret)
    keys.seal(b"other", "search", NOW + 9 * HOUR)
    assert secret not in keys._memory[:]
    # Not even a clock that is put back brings it again.
    with pytest.raises(KeyGone):
        keys.open(sealed, "search", NOW)


@pytest.mark.parametrize("cut", [0, 3, 4, 10, 16, 31])
def test_what_is_cut_or_for_another_purpose_does_not_open(keys: EphemeralKeys, cut: int) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    with pytest.raises((KeyGone, SealBroken)):
        keys.open(sealed[:cut], "search", NOW)
    with pytest.raises(SealBroken):
        keys.open(sealed, "another", NOW)
    with pytest.raises(SealBroken):
        keys.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "search", NOW)


def test_a_process_that_was_forked_before_the_first_key_shares_it(keys: EphemeralKeys) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, keys.seal(b"words", "search", NOW))
        os._exit(0)
    os.waitpid(child, 0)
    assert keys.open(os.read(reading, 1000), "search", NOW) == b"words"


def test_many_who_ask_at_once_make_one_key(keys: EphemeralKeys) -> None:
    sealed: list[bytes] = []
    together = threading.Barrier(16)

    def ask() -> None:
        together.wait()
        sealed.append(keys.seal(b"words", "search", NOW))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one[:4] for one in sealed}) == 1
    assert {keys.open(one, "search", NOW) for one in sealed} == {b"words"}
