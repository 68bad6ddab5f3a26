"""Keys in memory alone, which all web processes of a host share and which are soon overwritten.

For what a browser hands back to us within the hour and nobody may read later: with AES-GCM (NIST
SP 800-38D) under a key that no file, backup or other secret of ours can bring back. A host that is
switched off or started anew has lost it.
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
from keys.sealing import NONCE_BYTES, SECRET_BYTES, SealBroken

NAME_BYTES, TAG_BYTES = 4, 16
OVERHEAD = NAME_BYTES + NONCE_BYTES + TAG_BYTES
"""Bytes by which what is sealed is longer."""
SLOT = struct.Struct(f">Q{NAME_BYTES}s{SECRET_BYTES}s")


class KeyGone(Exception):
    """Its key is overwritten, or is another host's; or it is nothing that was ever sealed."""


class Key(NamedTuple):
    """One period's."""

    period: int
    name: bytes
    """Random: it stands before what is sealed, and says nothing of when."""
    secret: bytes


class EphemeralKeys:
    """A key for each period, and those of a few periods before."""

    def __init__(self, period: dt.timedelta, kept: int) -> None:
        self._period, self._kept = period, kept
        # Anonymous, so on no disk; shared with whatever process is forked from now on.
        self._memory = mmap.mmap(-1, SLOT.size * kept)

    def seal(self, plaintext: bytes, purpose: str, now: dt.datetime) -> bytes:
        """Never twice the same, so that nobody can try which words it may be."""
        key, nonce = self._known(now)[0], os.urandom(NONCE_BYTES)
        return key.name + nonce + AESGCM(key.secret).encrypt(nonce, plaintext, purpose.encode())

    def open(self, sealed: bytes, purpose: str, now: dt.datetime) -> bytes:
        """Raises KeyGone; and SealBroken for what was changed or is for another purpose."""
        name, body = sealed[:NAME_BYTES], sealed[NAME_BYTES:]
        secrets = [key.secret for key in self._known(now) if key.name == name]
        if not secrets:
            raise KeyGone
        nonce, body = body[:NONCE_BYTES], body[NONCE_BYTES:]
        try:
            return AESGCM(secrets[0]).decrypt(nonce, body, purpose.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("This was not sealed with our key, or not for this.") from None

    def _known(self, now: dt.datetime) -> list[Key]:
        """This period's first. Whoever asks overwrites those whose time is over."""
        period = int(now.timestamp() // self._period.total_seconds())
        # Two that make a period's key at once would lose one.
        with files.locked(__file__):
            there = [Key(*slot) for slot in SLOT.iter_unpack(self._memory[:])]
            known = [key for key in there if 0 <= period - key.period < self._kept]
            if not known or known[0].period != period:
                fresh = Key(period, os.urandom(NAME_BYTES), os.urandom(SECRET_BYTES))
                known = [fresh, *known]
                packed = b"".join(SLOT.pack(*key) for key in known)
                self._memory[:] = packed.ljust(len(self._memory), b"\0")
        return known


WITHIN_THE_HOUR = EphemeralKeys(dt.timedelta(minutes=30), kept=3)
"""What was sealed with them opens for an hour at least, and for an hour and a half at most."""
