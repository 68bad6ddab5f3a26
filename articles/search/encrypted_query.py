"""The token in the address of a search's results: what was asked, sealed, and soon unreadable.

Nothing is stored. While it opens, whoever has the address has the search; afterwards nobody.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import NamedTuple

from keys import ephemeral
from keys.ephemeral import KeyGone
from keys.sealing import SealBroken
from keys.tokens import BadToken

PURPOSE = "search"
BLOCK = 64
"""Bytes. What is shorter is filled up: the address does not say how long the words are."""
MOST_BLOCKS = 16
"""Two hundred characters of four bytes, a topic and a year need fourteen."""
BETWEEN = "\0"
"""Stands in no field of a valid form."""


class SearchOver(Exception):
    """Its time is over, or the site was started anew meanwhile."""


class Asked(NamedTuple):
    """What stood in the form, word for word."""

    q: str
    topic: str
    year: str


def make_token(asked: Asked, now: dt.datetime) -> str:
    """In base32, lower case, as all tokens are, so that every log's masking knows it."""
    text = BETWEEN.join(asked).encode()
    filled = text.ljust(-(-len(text) // BLOCK) * BLOCK, BETWEEN.encode())
    sealed = ephemeral.WITHIN_THE_HOUR.seal(filled, PURPOSE, now)
    return base64.b32encode(sealed).decode().rstrip("=").lower()


def read_token(token: str, now: dt.datetime) -> Asked:
    """Raises keys.tokens.BadToken for what is none, and SearchOver for what was one."""
    sealed = _sealed(token)
    try:
        text = ephemeral.WITHIN_THE_HOUR.open(sealed, PURPOSE, now).decode()
    except KeyGone:
        raise SearchOver from None
    except SealBroken:
        raise BadToken from None
    words, topic, year, *_filling = text.split(BETWEEN)
    return Asked(words, topic, year)


def _sealed(token: str) -> bytes:
    """Raises BadToken for what has not even the look of one."""
    blocks, rest = divmod(len(token) * 5 // 8 - ephemeral.OVERHEAD, BLOCK)
    if rest or not 1 <= blocks <= MOST_BLOCKS or not token.isascii():
        raise BadToken
    try:
        return base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except binascii.Error:
        raise BadToken from None
