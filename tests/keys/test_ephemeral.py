"""Keys that are in memory only: who shares them, and when they are gone."""

from __future__ import annotations

import datetime as dt
import os
import threading

import pytest

from keys.ephemeral import EphemeralKeys, KeyExpired
from keys.sealing import DecryptionError

NOW = dt.datetime(2026, 11, 16, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def keys() -> EphemeralKeys:
    return EphemeralKeys(HOUR, periods=3)


def test_ciphertext_decrypts_until_its_key_expires(keys: EphemeralKeys) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    for later in range(3):
        assert keys.open(sealed, "search", NOW + later * HOUR) == b"words"
    with pytest.raises(KeyExpired):
        keys.open(sealed, "search", NOW + 3 * HOUR)


def test_an_expired_key_is_overwritten_on_the_next_use(keys: EphemeralKeys) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    before = keys._memory[:]
    secret = before[12:44]
    assert any(secret)
    keys.seal(b"other", "search", NOW + 9 * HOUR)
    assert secret not in keys._memory[:]
    # Not even a clock that is put back brings it again.
    with pytest.raises(KeyExpired):
        keys.open(sealed, "search", NOW)


@pytest.mark.parametrize("cut", [0, 3, 4, 10, 16, 31])
def test_truncated_ciphertext_or_another_purpose_does_not_decrypt(
    keys: EphemeralKeys, cut: int
) -> None:
    sealed = keys.seal(b"words", "search", NOW)
    with pytest.raises((KeyExpired, DecryptionError)):
        keys.open(sealed[:cut], "search", NOW)
    with pytest.raises(DecryptionError):
        keys.open(sealed, "another", NOW)
    with pytest.raises(DecryptionError):
        keys.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "search", NOW)


def test_a_process_that_was_forked_before_the_first_key_shares_it(keys: EphemeralKeys) -> None:
    keys.allocate()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, keys.seal(b"words", "search", NOW))
        os._exit(0)
    os.waitpid(child, 0)
    assert keys.open(os.read(reading, 1000), "search", NOW) == b"words"


def test_concurrent_uses_create_one_key(keys: EphemeralKeys) -> None:
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
