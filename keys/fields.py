"""Encryption of stored second factors and sessions.

AES-GCM (NIST SP 800-38D) under keys derived from SECRET_KEY: a database dump lets nobody log
in. A new SECRET_KEY ends every session and makes every second factor unreadable.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.sealing import DecryptionError

NONCE_BYTES = 12


def seal(plaintext: bytes, key: bytes, context: str) -> str:
    """Base64 of the ciphertext; `key` has 32 bytes, `context` is associated data."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plaintext, context.encode())
    return base64.urlsafe_b64encode(sealed).decode()


def unseal(sealed: str, key: bytes, context: str) -> bytes:
    """What `seal` sealed with the same key and context. Raises DecryptionError."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError, binascii.Error):
        raise DecryptionError("This was not sealed with this site's SECRET_KEY.") from None
