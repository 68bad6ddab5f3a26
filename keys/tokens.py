"""Tokens in letters, and the addresses that a letter leads to.

A token is deterministic authenticated encryption (AES-SIV, RFC 5297) of two numbers under
the links key, in base32 because relays fold case. Nothing is stored. Each kind has its own
associated data, so a token of one kind is rubbish to every other.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import struct
from enum import StrEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.urls import reverse

from keys import sealing

PLAINTEXT = struct.Struct(">QI")
TOKEN_LENGTH = 45
"""Characters of every token: 12 bytes and a tag of 16, in base32 without padding."""
PADDING = "=" * (-TOKEN_LENGTH % 8)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
THREE_LETTERS = ["".join(three) for three in itertools.product(ALPHABET, repeat=3)]
PLACES = range(TOKEN_LENGTH * 5 - 15, -1, -15)
"""Of the 15 bits that three letters stand for."""


class Kind(StrEnum):
    """What a token is good for."""

    LETTER = "letter"  # subscriber and mailing: leave, or ask for a link to preferences
    MESSAGE = "message"  # subscriber and mailing: the Message-ID, which opens nothing
    RETURN_PATH = "return path"  # delivery: which letter a bounce is about
    SINGLE_MAIL = "single mail"  # subscriber and its second: which single mail a bounce is about
    CONFIRM = "confirm"  # subscriber and the second of the sign-up
    PREFERENCES = "preferences"  # subscriber and the second until which it opens them
    PREVIEW = "preview"  # a preview's row and its article: read it before it is public


class BadToken(Exception):
    """Not a token of ours and of this kind: cut, doubled, changed or foreign."""


class Subject(NamedTuple):
    """What a token speaks of: a row's id, and a second number whose meaning its kind gives."""

    row: int
    detail: int


def make_token(kind: Kind, row: int, detail: int, cipher: AESSIV | None = None) -> str:
    """The token, lower case. The same input gives the same token.

    Who makes many at once asks sealing for the cipher once.
    """
    plaintext = PLAINTEXT.pack(row, detail)
    sealed = (cipher or sealing.links_cipher()).encrypt(plaintext, [kind.encode()])
    return _base32(sealed)


def read_token(kind: Kind, token: str) -> Subject:
    """Raises BadToken for whatever `make_token` did not make for this kind."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        raise BadToken
    try:
        sealed = base64.b32decode(token.upper() + PADDING)
        plaintext = sealing.links_cipher().decrypt(sealed, [kind.encode()])
    except (InvalidTag, binascii.Error, ValueError):
        raise BadToken from None
    return Subject(*PLAINTEXT.unpack(plaintext))


def _base32(sealed: bytes) -> str:
    """RFC 4648's, lower case, without padding. A letter has three tokens, so this is in a hurry."""
    whole = int.from_bytes(sealed) << TOKEN_LENGTH * 5 - len(sealed) * 8
    return "".join([THREE_LETTERS[whole >> at & 0x7FFF] for at in PLACES])


def absolute(view: str, *args: object) -> str:
    """A view's full address on our own site, for a letter. Never taken from a Host header."""
    return settings.SITE_URL + reverse(view, args=[str(arg) for arg in args])
