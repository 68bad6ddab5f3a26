"""What the site stores and only the site may read back: second factors and open sessions.

Sealed with AES-GCM (NIST SP 800-38D) under keys that come from SECRET_KEY, so a dump of the
database opens no door. Whoever changes SECRET_KEY ends every session and every second factor.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.sealing import SealBroken

NONCE_BYTES = 12


def seal(plaintext: bytes, key: bytes, context: str) -> str:
    """Sealed under a key of 32 bytes and bound to a context; text that any column takes."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, plaintext, context.encode())
    return base64.urlsafe_b64encode(sealed).decode()


def unseal(sealed: str, key: bytes, context: str) -> bytes:
    """What `seal` sealed with the same key and context. Raises SealBroken."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError, binascii.Error):
        raise SealBroken("This was not sealed with this site's SECRET_KEY.") from None
