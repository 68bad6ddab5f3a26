"""Tokens in letters, and absolute URLs for letters.

A token is deterministic authenticated encryption (AES-SIV, RFC 5297) of two numbers under the links
key. Base32, since relays may fold the case of a return path. Nothing is stored. The kind is
associated data, so that a token is valid for its kind only.
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
"""Characters: 12 bytes and a tag of 16, in base32 without padding."""
PADDING = "=" * (-TOKEN_LENGTH % 8)
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
BASE32_TRIPLETS = ["".join(three) for three in itertools.product(ALPHABET, repeat=3)]
TRIPLET_SHIFTS = range(TOKEN_LENGTH * 5 - 15, -1, -15)
"""Right shifts, each to the next 15 bits."""


class TokenKind(StrEnum):
    """What a token authorises."""

    LETTER = "letter"  # subscriber and mailing: unsubscribe, or request a preferences link
    MESSAGE = "message"  # subscriber and mailing: the Message-ID, which authorises nothing
    RETURN_PATH = "return path"  # delivery: identifies the letter that bounced
    SINGLE_MAIL = "single mail"  # subscriber and timestamp: identifies the mail that bounced
    CONFIRM = "confirm"  # subscriber and timestamp of the sign-up
    PREFERENCES = "preferences"  # subscriber and expiry timestamp
    PREVIEW = "preview"  # preview link and article: read it unpublished


class InvalidToken(Exception):
    """Truncated, changed, forged or of another kind."""


class TokenPayload(NamedTuple):
    """A row's id, and a second number whose meaning depends on the kind."""

    row: int
    detail: int


def make_token(kind: TokenKind, row: int, detail: int, cipher: AESSIV | None = None) -> str:
    """Deterministic and lower case. Pass the cipher to make many."""
    plaintext = PLAINTEXT.pack(row, detail)
    sealed = (cipher or sealing.token_cipher()).encrypt(plaintext, [kind.encode()])
    return _base32(sealed)


def read_token(kind: TokenKind, token: str) -> TokenPayload:
    """Decrypts and authenticates a token. Raises InvalidToken."""
    if len(token) != TOKEN_LENGTH or not token.isascii():
        raise InvalidToken
    try:
        sealed = base64.b32decode(token.upper() + PADDING)
        plaintext = sealing.token_cipher().decrypt(sealed, [kind.encode()])
    except (InvalidTag, binascii.Error, ValueError):
        raise InvalidToken from None
    return TokenPayload(*PLAINTEXT.unpack(plaintext))


def _base32(sealed: bytes) -> str:
    """RFC 4648, lower case, without padding; faster than base64.b32encode."""
    bits = int.from_bytes(sealed) << TOKEN_LENGTH * 5 - len(sealed) * 8
    return "".join([BASE32_TRIPLETS[bits >> shift & 0x7FFF] for shift in TRIPLET_SHIFTS])


def absolute_url(view: str, *args: object) -> str:
    """A view's URL below SITE_URL; never from the Host header."""
    return settings.SITE_URL + reverse(view, args=[str(arg) for arg in args])
