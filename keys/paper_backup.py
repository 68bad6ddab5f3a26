"""The keys as lines to print and to type in again.

Crockford's base 32, without I, L, O and U; each line ends in a checksum of two characters over its
label and content.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keys.sealing import FIRST_GENERATION

CROCKFORD_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD_LETTERS = str.maketrans("ILO", "110")
RFC4648_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
CHARACTERS_PER_LINE, CHARACTERS_PER_GROUP = 20, 4
LINE = re.compile(r"^\W*([WHL])([\dILO]*)\.([\dILO]+)\s+(\S.*)$", re.IGNORECASE)


class PaperBackupError(Exception):
    """A line is mistyped or missing; the message names it."""


@dataclass(frozen=True)
class BackupKeys:
    """Secrets and hash keys by generation, and the links key."""

    secrets: dict[int, bytes]
    hash_keys: dict[int, bytes]
    links: bytes


def to_lines(keys: BackupKeys) -> Iterator[str]:
    """The lines to print."""
    for name, secret in _labelled(keys):
        yield from _lines(name, secret)
    yield f"ALL   {_groups(_checksum(keys))}"


def from_lines(lines: Iterable[str]) -> BackupKeys:
    """Parses the lines of `to_lines`; ignores others. Raises PaperBackupError."""
    pieces: dict[str, dict[int, str]] = {}
    whole = ""
    for line in lines:
        typed = line.strip().upper()
        if typed.startswith("ALL"):
            whole = _normalised(typed.removeprefix("ALL"))
        elif found := LINE.match(typed):
            kind, number, part, letters = found.groups()
            name, place = (
                kind + number.translate(MISREAD_LETTERS),
                int(part.translate(MISREAD_LETTERS)),
            )
            pieces.setdefault(name, {})[place] = _checked(f"{name}.{place}", letters)
    secrets = {name: _joined(name, parts) for name, parts in pieces.items()}
    for needed, what in (("H", "address hash (H)"), ("L", "links (L)")):
        if needed not in secrets:
            raise PaperBackupError(f"The lines of the key of {what} are missing.")
    generations = {_number(name): key for name, key in secrets.items() if name[0] == "W"}
    if not generations:
        raise PaperBackupError("The lines of the worker's secret (W) are missing.")
    hash_keys = {_number(name): key for name, key in secrets.items() if name[0] == "H"}
    keys = BackupKeys(generations, hash_keys, secrets["L"])
    if whole != _checksum(keys):
        raise PaperBackupError(
            "The last line (ALL) does not fit: a line or a generation is missing."
        )
    return keys


def _labelled(keys: BackupKeys) -> list[tuple[str, bytes]]:
    secrets = [(f"W{number}", secret) for number, secret in sorted(keys.secrets.items())]
    hashes = [
        ("H" if number == FIRST_GENERATION else f"H{number}", key)
        for number, key in sorted(keys.hash_keys.items())
    ]
    return [*secrets, *hashes, ("L", keys.links)]


def _number(name: str) -> int:
    """The generation; the label of the first hash key is H alone."""
    return int(name[1:] or FIRST_GENERATION)


def _lines(name: str, secret: bytes) -> Iterator[str]:
    text = _to_crockford(secret)
    for part, at in enumerate(range(0, len(text), CHARACTERS_PER_LINE), start=1):
        piece = text[at : at + CHARACTERS_PER_LINE]
        label = f"{name}.{part}"
        yield f"{label:<6}{_groups(piece)}  {_check(label, piece)}"


def _groups(text: str) -> str:
    return " ".join(
        text[at : at + CHARACTERS_PER_GROUP] for at in range(0, len(text), CHARACTERS_PER_GROUP)
    )


def _normalised(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed.upper()).translate(MISREAD_LETTERS)


def _checked(label: str, typed: str) -> str:
    letters = _normalised(typed)
    piece, check = letters[:-2], letters[-2:]
    if set(letters) - set(CROCKFORD_ALPHABET) or _check(label, piece) != check:
        raise PaperBackupError(f"Line {label} has a typing error. Compare it with the page.")
    return piece


def _joined(name: str, parts: dict[int, str]) -> bytes:
    if sorted(parts) != list(range(1, len(parts) + 1)):
        raise PaperBackupError(f"A line of {name} is missing: there are {sorted(parts)}.")
    return _from_crockford(name, "".join(parts[number] for number in sorted(parts)))


def _to_crockford(secret: bytes) -> str:
    standard = base64.b32encode(secret).decode().rstrip("=")
    return standard.translate(str.maketrans(RFC4648_ALPHABET, CROCKFORD_ALPHABET))


def _from_crockford(name: str, text: str) -> bytes:
    if len(text) * 5 // 8 not in {32, 64}:
        raise PaperBackupError(f"The lines of {name} are too few or too many.")
    standard = text.translate(str.maketrans(CROCKFORD_ALPHABET, RFC4648_ALPHABET))
    return base64.b32decode(standard + "=" * (-len(standard) % 8))


def _check(label: str, piece: str) -> str:
    digest = hashlib.sha256(f"{label} {piece}".encode()).digest()
    return CROCKFORD_ALPHABET[digest[0] & 31] + CROCKFORD_ALPHABET[digest[1] & 31]


def _checksum(keys: BackupKeys) -> str:
    """Over all keys, so that a missing generation is noticed."""
    digest = hashlib.sha256()
    for name, secret in _labelled(keys):
        digest.update(f"{name}:".encode() + secret)
    return _to_crockford(digest.digest())[:8]
