"""The two encryptions of an address, and its keyed hash.

The *intake seal* is asymmetric (HPKE, RFC 9180): the web process encrypts and cannot decrypt. The
*list seal* (AES-GCM, NIST SP 800-38D) encrypts the list at rest, bound to its row, and is known to
workers only. Both, and the hash keys, are derived from the worker secrets (HKDF, RFC 5869).
Addresses are padded, so that no ciphertext tells their length.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from core import files

SECRET_BYTES = 32
NONCE_BYTES = 12
WORKER_KEY_FILENAME = "worker.key"
HASH_KEY_PREFIX = "hash"
"""The label of the first generation's hash key in the worker's file; the second's is `hash-2`."""
KEY_LINE_NAME = re.compile(rf"(?P<hash>{HASH_KEY_PREFIX}-)?(?P<generation>[0-9]+)")
FIRST_GENERATION = 1
PADDED_ADDRESS_BYTES = 256
"""An address has at most 254 (RFC 5321, 4.5.3.1.3)."""
SEALED_ADDRESS_BYTES = NONCE_BYTES + PADDED_ADDRESS_BYTES + 16
"""With nonce and tag. A shorter ciphertext is from before addresses were padded."""
HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class KeyNotFound(Exception):
    """A key is missing, unreadable or not given to this process; says what to do."""


class KeyGenerationNotFound(KeyNotFound):
    """The worker's file lacks a generation: rotated on another host, or dropped."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"The worker's key file has no generation {number}. Copy the file from the host where "
            "the keys were rotated, or add the printed page of that time with "
            "`manage.py restore_keys`."
        )


class DecryptionError(Exception):
    """Encrypted with another key, for another purpose or row, or changed since."""


class WorkerKeys:
    """The worker's secrets, one per generation, and what is derived from them."""

    def __init__(
        self, secrets: dict[int, bytes], hash_keys: dict[int, bytes] | None = None
    ) -> None:
        """Before the first rotation the file has no hash keys: the first is derived."""
        self.secrets = secrets
        self.generation = max(secrets)
        # A suppression has no address to hash again, so each generation hashes the hash of the one
        # before, and all hash keys stay.
        self.hash_keys = hash_keys or {FIRST_GENERATION: derive_hash_key(secrets[min(secrets)])}
        self.hash_generation = max(self.hash_keys)
        self._list_seals = {
            generation: AESGCM(_derive(secret, "list seal"))
            for generation, secret in secrets.items()
        }

    def intake_public_key(self) -> bytes:
        """The newest generation's, for the web process."""
        return self._intake_public_key(self.generation)

    def intake_public_keys(self) -> set[bytes]:
        """Of every generation that still decrypts."""
        return {self._intake_public_key(generation) for generation in self.secrets}

    def newest_only(self) -> WorkerKeys:
        """Without the older generations."""
        return WorkerKeys({self.generation: self.secrets[self.generation]}, self.hash_keys)

    def merged_with(self, other: WorkerKeys) -> WorkerKeys | None:
        """Both together; None if they conflict or were rotated independently."""
        for mine, theirs in ((self.secrets, other.secrets), (self.hash_keys, other.hash_keys)):
            if any(mine[number] != theirs[number] for number in mine.keys() & theirs.keys()):
                return None
        # The shorter must be an earlier state of the longer.
        shorter, longer = sorted((self.hash_keys, other.hash_keys), key=len)
        if sorted(longer)[: len(shorter)] != sorted(shorter):
            return None
        return WorkerKeys({**self.secrets, **other.secrets}, longer)

    def _intake_public_key(self, generation: int) -> bytes:
        public = self._intake_key(generation).public_key()
        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def _intake_key(self, generation: int) -> X25519PrivateKey:
        secret = _derive(self.secrets[generation], "intake seal")
        return X25519PrivateKey.from_private_bytes(secret)

    def open_intake(self, sealed: bytes, purpose: str) -> bytes:
        """Decrypts the result of `seal_intake`. Raises DecryptionError."""
        for generation in sorted(self.secrets, reverse=True):
            try:
                return HPKE.decrypt(sealed, self._intake_key(generation), info=purpose.encode())
            except (InvalidTag, ValueError):
                continue
        raise DecryptionError("This was not sealed with our intake key.")

    def seal_address(self, address: str, row: int) -> bytes:
        """Encrypts an address for one row, under the newest generation."""
        nonce = os.urandom(NONCE_BYTES)
        seal = self._list_seals[self.generation]
        return nonce + seal.encrypt(nonce, pad_address(address), _row_context(row))

    def open_address(self, sealed: bytes, row: int, generation: int) -> str:
        """Decrypts a row's address. Raises DecryptionError, KeyGenerationNotFound."""
        if generation not in self._list_seals:
            raise KeyGenerationNotFound(generation)
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            decrypted = self._list_seals[generation].decrypt(nonce, body, _row_context(row))
        except (InvalidTag, ValueError):
            raise DecryptionError(f"Row {row} of the list was not sealed with our key.") from None
        return unpad_address(decrypted)

    def sign(self, message: bytes) -> bytes:
        """HMAC-SHA256 with a key that only workers have."""
        return self._signature(message, self.generation)

    def is_valid_signature(self, message: bytes, signature: bytes) -> bool:
        """Whether `sign` made it, under any generation in the file."""
        return any(
            hmac.compare_digest(self._signature(message, generation), signature)
            for generation in self.secrets
        )

    def _signature(self, message: bytes, generation: int) -> bytes:
        key = _derive(self.secrets[generation], "signature")
        return hmac.digest(key, message, hashlib.sha256)

    def hash_address(self, address: str, generation: int) -> bytes:
        """HMAC-SHA256; each generation hashes the hash of the one before.

        Raises KeyGenerationNotFound.
        """
        return self._advance(address.encode(), 0, generation)

    def advance_hash(self, address_hash: bytes, since: int, until: int) -> bytes:
        """A hash of the generation `since` as that of `until`. Raises KeyGenerationNotFound."""
        self.require_hash_generation(since)
        return self._advance(address_hash, since, until)

    def require_hash_generation(self, number: int) -> None:
        """Raises KeyGenerationNotFound."""
        if number not in self.hash_keys:
            raise KeyGenerationNotFound(number)

    def _advance(self, digest: bytes, since: int, until: int) -> bytes:
        self.require_hash_generation(until)
        for number in sorted(self.hash_keys):
            if since < number <= until:
                digest = hmac.digest(self.hash_keys[number], digest, hashlib.sha256)
        return digest

    def rate_limit_hash(self, window: str, text: str) -> bytes:
        """HMAC-SHA256 of a counted text; hashes of different windows cannot be linked."""
        key = _derive(self.secrets[self.generation], f"count {window}")
        return hmac.digest(key, text.encode(), hashlib.sha256)


def derive_hash_key(secret: bytes) -> bytes:
    """The hash key of a generation; the secret cannot be derived from it."""
    return _derive(secret, "address hash")


def pad_address(address: str) -> bytes:
    """UTF-8, padded with spaces. Raises ValueError if too long."""
    padded = address.encode().ljust(PADDED_ADDRESS_BYTES)
    if len(padded) > PADDED_ADDRESS_BYTES:
        raise ValueError("This is too long for an address.")
    return padded


def unpad_address(decrypted: bytes) -> str:
    """Reverts `pad_address`; accepts an unpadded address too."""
    return decrypted.decode().rstrip(" ")


def seal_intake(plaintext: bytes, purpose: str) -> bytes:
    """Encrypts what only a worker may decrypt. Raises KeyNotFound."""
    return HPKE.encrypt(plaintext, intake_key(), info=purpose.encode())


def worker_keys() -> WorkerKeys:
    """Raises KeyNotFound, always in the web process and beat."""
    if settings.WORKER_KEY_FILE is None:
        raise KeyNotFound(
            "This process was not given the worker's key, so it cannot read the list. "
            "Run it where WORKER_KEY_FILE is set."
        )
    return _cached(settings.WORKER_KEY_FILE, load_worker_keys)


def intake_key() -> X25519PublicKey:
    """The public key of the intake seal. Raises KeyNotFound."""
    return _cached(settings.INTAKE_KEY_FILE, _load_intake_key)


def links_key() -> bytes:
    """The key of tokens, which web and worker share. Raises KeyNotFound."""
    return _cached(settings.LINKS_KEY_FILE, _load_links_key)


def token_cipher() -> AESSIV:
    """AES-SIV (RFC 5297) with the links key. Raises KeyNotFound."""
    return _cached(settings.LINKS_KEY_FILE, _load_links_cipher)


def readable_worker_keys() -> list[Path]:
    """Worker keys that this process can read, although WORKER_KEY_FILE is not set."""
    folders = {settings.KEYS_DIR, settings.INTAKE_KEY_FILE.parent, settings.LINKS_KEY_FILE.parent}
    paths = [folder / WORKER_KEY_FILENAME for folder in sorted(folders)]
    return [path for path in paths if os.access(path, os.R_OK)]


def intake_key_matches(keys: WorkerKeys) -> bool:
    """Whether the worker keys decrypt what the intake key encrypts. Raises KeyNotFound."""
    given = intake_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return given in keys.intake_public_keys()


def is_newest_intake_key(keys: WorkerKeys, path: Path) -> bool:
    """Whether the file holds the newest generation's intake key; False if it is damaged."""
    try:
        given = _load_intake_key(path)
    except KeyNotFound:
        return False
    return given.public_bytes(Encoding.Raw, PublicFormat.Raw) == keys.intake_public_key()


def site_key(purpose: str) -> bytes:
    """32 bytes derived from SECRET_KEY."""
    return _derive(settings.SECRET_KEY.encode(), purpose)


Key = TypeVar("Key")
_loaded: dict[tuple[Path, str], tuple[tuple[int, int, int], object]] = {}


def _cached(path: Path, load: Callable[[Path], Key]) -> Key:
    """Reloads a changed file, so that rotation and destruction reach running processes."""
    cache_key = (path, load.__name__)
    try:
        stat = path.stat()
    except OSError:
        _loaded.pop(cache_key, None)
        return load(path)
    version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    cached = _loaded.get(cache_key)
    if cached is None or cached[0] != version:
        _loaded.pop(cache_key, None)
        _loaded[cache_key] = cached = (version, load(path))
    return cast(Key, cached[1])


def load_worker_keys(path: Path) -> WorkerKeys:
    """Parses the worker's file. Raises KeyNotFound."""
    secrets: dict[int, bytes] = {}
    hash_keys: dict[int, bytes] = {}
    for line in _read(path, "WORKER_KEY_FILE").split():
        name, _, encoded = line.partition(":")
        secret = _decode(encoded, path, "WORKER_KEY_FILE", SECRET_BYTES)
        found = KEY_LINE_NAME.fullmatch(
            f"{name}-{FIRST_GENERATION}" if name == HASH_KEY_PREFIX else name
        )
        if found is None:
            raise KeyNotFound(_damaged(path, "WORKER_KEY_FILE"))
        (hash_keys if found["hash"] else secrets)[int(found["generation"])] = secret
    if not secrets or (hash_keys and FIRST_GENERATION not in hash_keys):
        raise KeyNotFound(_damaged(path, "WORKER_KEY_FILE"))
    return WorkerKeys(secrets, hash_keys)


def serialize_worker_keys(keys: WorkerKeys) -> str:
    """The content of the worker's file."""
    lines = [f"{number}:{encode_key(secret)}" for number, secret in sorted(keys.secrets.items())]
    for number, key in sorted(keys.hash_keys.items()):
        name = HASH_KEY_PREFIX if number == FIRST_GENERATION else f"{HASH_KEY_PREFIX}-{number}"
        lines.append(f"{name}:{encode_key(key)}")
    return "\n".join(lines)


def _load_intake_key(path: Path) -> X25519PublicKey:
    encoded = _read(path, "INTAKE_KEY_FILE")
    return X25519PublicKey.from_public_bytes(
        _decode(encoded, path, "INTAKE_KEY_FILE", SECRET_BYTES)
    )


def _load_links_key(path: Path) -> bytes:
    return _decode(_read(path, "LINKS_KEY_FILE"), path, "LINKS_KEY_FILE", 2 * SECRET_BYTES)


def _load_links_cipher(path: Path) -> AESSIV:
    return AESSIV(_load_links_key(path))


def make_keys(worker: Path, intake: Path, links: Path) -> list[Path]:
    """Creates missing keys and returns their paths. Never overwrites one. Raises KeyNotFound."""
    made = []
    if not worker.exists() and intake.exists():
        raise KeyNotFound(
            f"{intake} is there but {worker} is not. Put the worker's key back from its backup, "
            f"or remove {intake} to start with an empty list."
        )
    if _write_new(worker, f"1:{encode_key(os.urandom(SECRET_BYTES))}"):
        made.append(worker)
    public = encode_key(load_worker_keys(worker).intake_public_key())
    if _write_new(intake, public):
        made.append(intake)
    if _write_new(links, encode_key(os.urandom(2 * SECRET_BYTES))):
        made.append(links)
    return made


def _write_new(path: Path, text: str) -> bool:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with files.atomic_create(path) as file:
            file.write(text + "\n")
    except FileExistsError:
        return False
    return True


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyNotFound(
            f"There is no key at {path} ({setting}). Make the keys with "
            "`manage.py make_keys`, or put them back from their backup."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyNotFound(f"The key at {path} ({setting}) cannot be read: {error}.") from None


def _decode(encoded: str, path: Path, setting: str, length: int) -> bytes:
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != length:
        raise KeyNotFound(_damaged(path, setting))
    return key


def _damaged(path: Path, setting: str) -> str:
    return f"The key at {path} ({setting}) is damaged. Put it back from its backup."


def encode_key(key: bytes) -> str:
    """Base64, as in the key files."""
    return base64.b64encode(key).decode()


def _derive(secret: bytes, purpose: str) -> bytes:
    info = f"newsroom {purpose} 1".encode()
    return HKDF(hashes.SHA256(), SECRET_BYTES, salt=None, info=info).derive(secret)


def _row_context(row: int) -> bytes:
    return b"subscriber:%d" % row
