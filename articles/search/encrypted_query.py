"""The encrypted query in the URL of a results page, which soon cannot be decrypted.

Nothing is stored. Until the key is gone, the URL shows the search to whoever has it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import NamedTuple

from keys import ephemeral
from keys.ephemeral import KeyExpired
from keys.sealing import DecryptionError
from keys.tokens import InvalidToken

PURPOSE = "search"
BLOCK_BYTES = 64
"""Padding: the URL does not reveal the length of the words."""
MAX_BLOCKS = 16
"""The longest valid input, 200 characters of 4 bytes with topic and year, takes 14."""
SEPARATOR = "\0"
"""No valid form field contains it."""


class SearchExpired(Exception):
    """The key has expired, or the site was restarted."""


class SearchInput(NamedTuple):
    """The form's fields as typed."""

    q: str
    topic: str
    year: str


def encrypt_query(search_input: SearchInput, now: dt.datetime) -> str:
    """Lower-case base32, as all tokens are, so that log redaction recognises it."""
    text = SEPARATOR.join(search_input).encode()
    padded = text.ljust(-(-len(text) // BLOCK_BYTES) * BLOCK_BYTES, SEPARATOR.encode())
    sealed = ephemeral.HOURLY_KEYS.seal(padded, PURPOSE, now)
    return base64.b32encode(sealed).decode().rstrip("=").lower()


def decrypt_query(token: str, now: dt.datetime) -> SearchInput:
    """Raises keys.tokens.InvalidToken, or SearchExpired for a token that was valid."""
    sealed = _sealed(token)
    try:
        text = ephemeral.HOURLY_KEYS.open(sealed, PURPOSE, now).decode()
    except KeyExpired:
        raise SearchExpired from None
    except DecryptionError:
        raise InvalidToken from None
    words, topic, year, *_padding = text.split(SEPARATOR)
    return SearchInput(words, topic, year)


def _sealed(token: str) -> bytes:
    """Raises InvalidToken for a wrong length or alphabet."""
    blocks, rest = divmod(len(token) * 5 // 8 - ephemeral.OVERHEAD, BLOCK_BYTES)
    if rest or not 1 <= blocks <= MAX_BLOCKS or not token.isascii():
        raise InvalidToken
    try:
        return base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except binascii.Error:
        raise InvalidToken from None
