"""Tokens in letters, and the addresses that a letter leads to.

A token is deterministic authenticated encryption (AES-SIV, RFC 5297) of two numbers under
the links key, in base32 because relays fold case. Nothing is stored. Each kind has its own
associated data, so a token of one kind is rubbish to every other.
"""

from __future__ import annotations

import base64
import binascii
import struct
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.urls import reverse

from newsroom import sealing

PLAINTEXT = struct.Struct(">QI")
TOKEN_LENGTH = 45
"""Characters of every token: 12 bytes and a tag of 16, in base32 without padding."""
PADDING = "=" * (-TOKEN_LENGTH % 8)


class Kind(StrEnum):
    """What a token is good for."""

    LETTER = "letter"  # subscriber and mailing: leave, or ask for a link to preferences
    MESSAGE = "message"  # subscriber and mailing: the Message-ID, which opens nothing
    RETURN_PATH = "return path"  # delivery: which letter a bounce is about
    CONFIRM = "confirm"  # subscriber and the second of the sign-up
    PREFERENCES = "preferences"  # subscriber and the second until which it opens them
    PREVIEW = "preview"  # a preview's row and its article: read it before it is public


class BadToken(Exception):
    """Not a token of ours and of this kind: cut, doubled, changed or foreign."""


class Subject(NamedTuple):
    """What a token speaks of: a row's id, and a second number whose meaning its kind gives."""

    row: int
    detail: int


def make_token(kind: Kind, row: int, detail: int) -> str:
    """The token, lower case. The same input gives the same token."""
    plaintext = PLAINTEXT.pack(row, detail)
    sealed = AESSIV(sealing.links_key()).encrypt(plaintext, [kind.encode()])
    return base64.b32encode(sealed).decode().rstrip("=").lower()


def read_token(kind: Kind, token: str) -> Subject:
    """Raises BadToken for whatever `make_token` did not make for this kind."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        raise BadToken
    try:
        sealed = base64.b32decode(token.upper() + PADDING)
        plaintext = AESSIV(sealing.links_key()).decrypt(sealed, [kind.encode()])
    except (InvalidTag, binascii.Error, ValueError):
        raise BadToken from None
    return Subject(*PLAINTEXT.unpack(plaintext))


def absolute(view: str, *args: object) -> str:
    """A view's full address on our own site, for a letter. Never taken from a Host header."""
    return settings.SITE_URL + reverse(view, args=[str(arg) for arg in args])
