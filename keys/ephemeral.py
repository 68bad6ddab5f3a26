"""Short-lived keys in shared memory, for all web processes of a host.

They encrypt (AES-GCM, NIST SP 800-38D) what a browser sends back within the hour and nobody may
read later. No file, backup or other secret can restore them.
"""

from __future__ import annotations

import datetime as dt
import mmap
import os
import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import files
from keys.sealing import NONCE_BYTES, SECRET_BYTES, DecryptionError

NAME_BYTES, TAG_BYTES = 4, 16
OVERHEAD = NAME_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes that encryption adds."""
SLOT = struct.Struct(f">Q{NAME_BYTES}s{SECRET_BYTES}s")


class KeyExpired(Exception):
    """The key is overwritten, or never was on this host."""


class PeriodKey(NamedTuple):
    """The key of one period."""

    period: int
    name: bytes
    """Random, so that the ciphertext's prefix does not tell the time."""
    secret: bytes


class EphemeralKeys:
    """The keys of the current period and of a few before it."""

    def __init__(self, period: dt.timedelta, periods: int) -> None:
        self._period, self._periods = period, periods
        self._allocated: mmap.mmap | None = None

    def allocate(self) -> None:
        """Shares the keys with every process that is forked from now on; to be called before."""
        self._allocated = mmap.mmap(-1, SLOT.size * self._periods)

    @property
    def _memory(self) -> mmap.mmap:
        if self._allocated is None:
            self.allocate()
        assert self._allocated is not None
        return self._allocated

    def seal(self, plaintext: bytes, purpose: str, now: dt.datetime) -> bytes:
        """A random nonce, so that equal plaintexts cannot be recognised."""
        key, nonce = self._current_keys(now)[0], os.urandom(NONCE_BYTES)
        return key.name + nonce + AESGCM(key.secret).encrypt(nonce, plaintext, purpose.encode())

    def open(self, sealed: bytes, purpose: str, now: dt.datetime) -> bytes:
        """Raises KeyExpired; DecryptionError if changed or for another purpose."""
        name, body = sealed[:NAME_BYTES], sealed[NAME_BYTES:]
        secrets = [key.secret for key in self._current_keys(now) if key.name == name]
        if not secrets:
            raise KeyExpired
        nonce, body = body[:NONCE_BYTES], body[NONCE_BYTES:]
        try:
            return AESGCM(secrets[0]).decrypt(nonce, body, purpose.encode())
        except (InvalidTag, ValueError):
            raise DecryptionError("This was not sealed with our key, or not for this.") from None

    def _current_keys(self, now: dt.datetime) -> list[PeriodKey]:
        """This period's first. Overwrites the expired ones."""
        period = int(now.timestamp() // self._period.total_seconds())
        # Two processes that make the key at once would lose one.
        with files.file_lock(__file__):
            stored = [PeriodKey(*slot) for slot in SLOT.iter_unpack(self._memory[:])]
            known = [key for key in stored if 0 <= period - key.period < self._periods]
            if not known or known[0].period != period:
                fresh = PeriodKey(period, os.urandom(NAME_BYTES), os.urandom(SECRET_BYTES))
                known = [fresh, *known]
                packed = b"".join(SLOT.pack(*key) for key in known)
                self._memory[:] = packed.ljust(len(self._memory), b"\0")
        return known


HOURLY_KEYS = EphemeralKeys(dt.timedelta(minutes=30), periods=3)
"""They decrypt for between 60 and 90 minutes."""
