"""Keys and seals: who can read an address, and who cannot.

Two seals. The *intake seal* is a public key's (HPKE, RFC 9180): the web process seals with
it what arrives and cannot open it again. The *list seal* (AES-GCM, NIST SP 800-38D) covers
the list at rest, is bound to its row and is known to workers only. Both, and the keys of the
address's hash, come from the worker secrets by HKDF (RFC 5869). What is sealed of an address is
always of one length, so that no seal tells how long the address is.
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
WORKER_KEY = "worker.key"
HASH_LINE = "hash"
"""Under which name the worker's file keeps the hash key of the first generation; those of later
ones have their number behind it: `hash-2`."""
KEY_NAME = re.compile(rf"(?P<hash>{HASH_LINE}-)?(?P<generation>[0-9]+)")
FIRST_GENERATION = 1
PADDED_BYTES = 256
"""An address has 254 at most (RFC 5321, 4.5.3.1.3)."""
SEALED_ADDRESS_BYTES = NONCE_BYTES + PADDED_BYTES + 16
"""Of every list seal, with its nonce and AES-GCM's tag. A shorter one is from before addresses were
padded; none of those could be as long."""
HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class KeyMissing(Exception):
    """A key is not given to this process, not there or not readable; says what to do."""


class GenerationMissing(KeyMissing):
    """The worker's file lacks one: it was rotated elsewhere, or the generation was dropped."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"The worker's key file has no generation {number}. Copy the file from the host where "
            "the keys were rotated, or add the printed page of that time with "
            "`manage.py restore_keys`."
        )


class SealBroken(Exception):
    """What was to be opened was not sealed with our keys, or not for this row."""


class WorkerKeys:
    """All that a worker derives from its secrets, one secret a generation."""

    def __init__(
        self, secrets: dict[int, bytes], hash_keys: dict[int, bytes] | None = None
    ) -> None:
        """`hash_keys` are in the file since its first rotation; before, there is the first's."""
        self.secrets = secrets
        self.generation = max(secrets)
        # A suppression has no address that could be hashed anew, so each generation hashes the
        # hash of the one before, and the keys of all of them stay.
        self.hash_keys = hash_keys or {FIRST_GENERATION: hash_key_of(secrets[min(secrets)])}
        self.hash_generation = max(self.hash_keys)
        self._list_seals = {
            generation: AESGCM(_derive(secret, "list seal"))
            for generation, secret in secrets.items()
        }

    def intake_public_key(self) -> bytes:
        """What the web process may know."""
        return self._intake_public_key(self.generation)

    def intake_public_keys(self) -> set[bytes]:
        """Of every generation: what was sealed for an older one can still be opened."""
        return {self._intake_public_key(generation) for generation in self.secrets}

    def newest_alone(self) -> WorkerKeys:
        """As it will be once the older generations are dropped."""
        return WorkerKeys({self.generation: self.secrets[self.generation]}, self.hash_keys)

    def with_those_of(self, other: WorkerKeys) -> WorkerKeys | None:
        """Both together; None where they are not of one list, or rotated apart."""
        for ours, theirs in ((self.secrets, other.secrets), (self.hash_keys, other.hash_keys)):
            if any(ours[number] != theirs[number] for number in ours.keys() & theirs.keys()):
                return None
        # One of them is an earlier state of the other: what it lacks came after all it has.
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
        """Opens what `seal_intake` sealed for the same purpose. Raises SealBroken."""
        for generation in sorted(self.secrets, reverse=True):
            try:
                return HPKE.decrypt(sealed, self._intake_key(generation), info=purpose.encode())
            except (InvalidTag, ValueError):
                continue
        raise SealBroken("This was not sealed with our intake key.")

    def seal_address(self, address: str, row: int) -> bytes:
        """Seals an address for one row of the list, under the newest generation."""
        nonce = os.urandom(NONCE_BYTES)
        seal = self._list_seals[self.generation]
        return nonce + seal.encrypt(nonce, padded(address), _row_context(row))

    def open_address(self, sealed: bytes, row: int, generation: int) -> str:
        """Opens a row's address. Raises SealBroken, or KeyMissing for a forgotten generation."""
        if generation not in self._list_seals:
            raise GenerationMissing(generation)
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            opened = self._list_seals[generation].decrypt(nonce, body, _row_context(row))
        except (InvalidTag, ValueError):
            raise SealBroken(f"Row {row} of the list was not sealed with our key.") from None
        return unpadded(opened)

    def sign(self, message: bytes) -> bytes:
        """A code (HMAC-SHA256) that only a worker can make."""
        return self._signature(message, self.generation)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `sign` made it, under a generation that is still known."""
        return any(
            hmac.compare_digest(self._signature(message, generation), signature)
            for generation in self.secrets
        )

    def _signature(self, message: bytes, generation: int) -> bytes:
        key = _derive(self.secrets[generation], "signature")
        return hmac.digest(key, message, hashlib.sha256)

    def hash_address(self, address: str, generation: int) -> bytes:
        """The keyed hash (HMAC-SHA256) by which a worker knows an address again.

        That of a generation is the hash of the one before, hashed with its own key. Raises
        KeyMissing for a generation that is not in the file.
        """
        return self._hash_on(address.encode(), 0, generation)

    def carry_hash_on(self, address_hash: bytes, since: int, until: int) -> bytes:
        """A hash of the generation `since` as that of `until`. Raises KeyMissing."""
        self.need_hash_generation(since)
        return self._hash_on(address_hash, since, until)

    def need_hash_generation(self, number: int) -> None:
        """Raises KeyMissing where it is not in the file."""
        if number not in self.hash_keys:
            raise GenerationMissing(number)

    def _hash_on(self, said: bytes, since: int, until: int) -> bytes:
        self.need_hash_generation(until)
        for number in sorted(self.hash_keys):
            if since < number <= until:
                said = hmac.digest(self.hash_keys[number], said, hashlib.sha256)
        return said

    def counting_mark(self, window: str, text: str) -> bytes:
        """A keyed hash to count by within one window, and unlike any of another's."""
        key = _derive(self.secrets[self.generation], f"count {window}")
        return hmac.digest(key, text.encode(), hashlib.sha256)


def hash_key_of(secret: bytes) -> bytes:
    """The key that a generation hashes with; it does not lead back to the secret."""
    return _derive(secret, "address hash")


def padded(address: str) -> bytes:
    """An address as it is sealed: as long as every other. Raises ValueError for one too long."""
    filled = address.encode().ljust(PADDED_BYTES)
    if len(filled) > PADDED_BYTES:
        raise ValueError("This is too long for an address.")
    return filled


def unpadded(opened: bytes) -> str:
    """What `padded` padded, or an address from before; none ends in a space."""
    return opened.decode().rstrip(" ")


def seal_intake(plaintext: bytes, purpose: str) -> bytes:
    """Seals what arrived, so that only a worker can open it. Raises KeyMissing."""
    return HPKE.encrypt(plaintext, intake_key(), info=purpose.encode())


def worker_keys() -> WorkerKeys:
    """This process's worker keys. Raises KeyMissing where it was given none."""
    if settings.WORKER_KEY_FILE is None:
        raise KeyMissing(
            "This process was not given the worker's key, so it cannot read the list. "
            "Run it where WORKER_KEY_FILE is set."
        )
    return _cached(settings.WORKER_KEY_FILE, load_worker_keys)


def intake_key() -> X25519PublicKey:
    """The public key of the intake seal. Raises KeyMissing."""
    return _cached(settings.INTAKE_KEY_FILE, _load_intake_key)


def links_key() -> bytes:
    """The key of the tokens in letters, which web and worker share. Raises KeyMissing."""
    return _cached(settings.LINKS_KEY_FILE, _load_links_key)


def links_cipher() -> AESSIV:
    """What the links key opens and seals tokens with. Raises KeyMissing."""
    return _cached(settings.LINKS_KEY_FILE, _load_links_cipher)


def exposed_worker_keys() -> list[Path]:
    """Where this process could read a worker's key although nobody gave it one."""
    folders = {settings.KEYS_DIR, settings.INTAKE_KEY_FILE.parent, settings.LINKS_KEY_FILE.parent}
    places = [folder / WORKER_KEY for folder in sorted(folders)]
    return [path for path in places if os.access(path, os.R_OK)]


def intake_key_is_ours(keys: WorkerKeys) -> bool:
    """Whether what is sealed with the intake key can be opened with these. Raises KeyMissing."""
    given = intake_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return given in keys.intake_public_keys()


def intake_key_is_newest(keys: WorkerKeys, path: Path) -> bool:
    """Whether the intake key there is the newest generation's; a damaged one is not."""
    try:
        given = _load_intake_key(path)
    except KeyMissing:
        return False
    return given.public_bytes(Encoding.Raw, PublicFormat.Raw) == keys.intake_public_key()


def site_key(purpose: str) -> bytes:
    """A key of 32 bytes out of SECRET_KEY, for what this site alone may know again."""
    return _derive(settings.SECRET_KEY.encode(), purpose)


Key = TypeVar("Key")
_loaded: dict[tuple[Path, str], tuple[tuple[int, int, int], object]] = {}


def _cached(path: Path, load: Callable[[Path], Key]) -> Key:
    """As the file is now: a rotation reaches running processes, and a destroyed key is dropped."""
    place = (path, load.__name__)
    try:
        found = path.stat()
    except OSError:
        _loaded.pop(place, None)
        return load(path)
    stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
    known = _loaded.get(place)
    if known is None or known[0] != stamp:
        _loaded.pop(place, None)
        _loaded[place] = known = (stamp, load(path))
    return cast(Key, known[1])


def load_worker_keys(path: Path) -> WorkerKeys:
    """What the worker's file holds. Raises KeyMissing."""
    secrets: dict[int, bytes] = {}
    hash_keys: dict[int, bytes] = {}
    for line in _read(path, "WORKER_KEY_FILE").split():
        name, _, encoded = line.partition(":")
        secret = _decode(encoded, path, "WORKER_KEY_FILE", SECRET_BYTES)
        found = KEY_NAME.fullmatch(f"{name}-{FIRST_GENERATION}" if name == HASH_LINE else name)
        if found is None:
            raise KeyMissing(_broken(path, "WORKER_KEY_FILE"))
        (hash_keys if found["hash"] else secrets)[int(found["generation"])] = secret
    if not secrets or (hash_keys and FIRST_GENERATION not in hash_keys):
        raise KeyMissing(_broken(path, "WORKER_KEY_FILE"))
    return WorkerKeys(secrets, hash_keys)


def worker_lines(keys: WorkerKeys) -> str:
    """The worker's file; the keys of the hash outlive the secrets that they came from."""
    lines = [f"{number}:{encode(secret)}" for number, secret in sorted(keys.secrets.items())]
    for number, key in sorted(keys.hash_keys.items()):
        name = HASH_LINE if number == FIRST_GENERATION else f"{HASH_LINE}-{number}"
        lines.append(f"{name}:{encode(key)}")
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
    """Makes the keys that are not there yet and returns the paths of the new ones.

    Never overwrites: a lost worker secret is a lost list.
    """
    made = []
    if not worker.exists() and intake.exists():
        raise KeyMissing(
            f"{intake} is there but {worker} is not. Put the worker's key back from its backup, "
            f"or remove {intake} to start with an empty list."
        )
    if _write_new(worker, f"1:{encode(os.urandom(SECRET_BYTES))}"):
        made.append(worker)
    public = encode(load_worker_keys(worker).intake_public_key())
    if _write_new(intake, public):
        made.append(intake)
    if _write_new(links, encode(os.urandom(2 * SECRET_BYTES))):
        made.append(links)
    return made


def _write_new(path: Path, text: str) -> bool:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with files.new_file(path) as file:
            file.write(text + "\n")
    except FileExistsError:
        return False
    return True


def _read(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeyMissing(
            f"There is no key at {path} ({setting}). Make the keys with "
            "`manage.py make_keys`, or put them back from their backup."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(f"The key at {path} ({setting}) cannot be read: {error}.") from None


def _decode(encoded: str, path: Path, setting: str, length: int) -> bytes:
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != length:
        raise KeyMissing(_broken(path, setting))
    return key


def _broken(path: Path, setting: str) -> str:
    return f"The key at {path} ({setting}) is damaged. Put it back from its backup."


def encode(key: bytes) -> str:
    """As it stands in a key file."""
    return base64.b64encode(key).decode()


def _derive(secret: bytes, purpose: str) -> bytes:
    info = f"newsroom {purpose} 1".encode()
    return HKDF(hashes.SHA256(), SECRET_BYTES, salt=None, info=info).derive(secret)


def _row_context(row: int) -> bytes:
    return b"subscriber:%d" % row
