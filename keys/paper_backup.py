"""The keys on paper: lines that a person can type back, each with a check of its own.

The letters are Crockford's base 32 (no I, L, O and U), so that what is misread for them is known;
each line ends in two letters of a checksum over its name and its content.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from keys.sealing import FIRST_GENERATION

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISREAD = str.maketrans("ILO", "110")
OF_THE_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""RFC 4648's letters for the same five bits, which Python writes."""
OF_A_LINE, OF_A_GROUP = 20, 4
LINE = re.compile(r"^\W*([WHL])([\dILO]*)\.([\dILO]+)\s+(\S.*)$", re.IGNORECASE)


class PaperBroken(Exception):
    """What was typed is not what was printed; names the line."""


@dataclass(frozen=True)
class Keys:
    """All that has to be kept: secrets and hash keys by generation, the links key."""

    secrets: dict[int, bytes]
    hash_keys: dict[int, bytes]
    links: bytes


def written(keys: Keys) -> Iterator[str]:
    """The lines, in the order of the page."""
    for name, secret in _named(keys):
        yield from _lines(name, secret)
    yield f"ALL   {_groups(_of(keys))}"


def read(lines: Iterable[str]) -> Keys:
    """What `written` wrote, typed in again; other lines are passed over. Raises PaperBroken."""
    pieces: dict[str, dict[int, str]] = {}
    whole = ""
    for line in lines:
        typed = line.strip().upper()
        if typed.startswith("ALL"):
            whole = _letters(typed.removeprefix("ALL"))
        elif found := LINE.match(typed):
            kind, number, part, letters = found.groups()
            name, place = kind + number.translate(MISREAD), int(part.translate(MISREAD))
            pieces.setdefault(name, {})[place] = _checked(f"{name}.{place}", letters)
    secrets = {name: _joined(name, parts) for name, parts in pieces.items()}
    for needed, what in (("H", "address hash (H)"), ("L", "links (L)")):
        if needed not in secrets:
            raise PaperBroken(f"The lines of the key of {what} are missing.")
    generations = {_number(name): key for name, key in secrets.items() if name[0] == "W"}
    if not generations:
        raise PaperBroken("The lines of the worker's secret (W) are missing.")
    hash_keys = {_number(name): key for name, key in secrets.items() if name[0] == "H"}
    keys = Keys(generations, hash_keys, secrets["L"])
    if whole != _of(keys):
        raise PaperBroken("The last line (ALL) does not fit: a line or a generation is missing.")
    return keys


def _named(keys: Keys) -> list[tuple[str, bytes]]:
    secrets = [(f"W{number}", secret) for number, secret in sorted(keys.secrets.items())]
    hashes = [
        ("H" if number == FIRST_GENERATION else f"H{number}", key)
        for number, key in sorted(keys.hash_keys.items())
    ]
    return [*secrets, *hashes, ("L", keys.links)]


def _number(name: str) -> int:
    """Of a generation; the first one's hash key has none on the page."""
    return int(name[1:] or FIRST_GENERATION)


def _lines(name: str, secret: bytes) -> Iterator[str]:
    text = _encoded(secret)
    for part, at in enumerate(range(0, len(text), OF_A_LINE), start=1):
        piece = text[at : at + OF_A_LINE]
        label = f"{name}.{part}"
        yield f"{label:<6}{_groups(piece)}  {_check(label, piece)}"


def _groups(text: str) -> str:
    return " ".join(text[at : at + OF_A_GROUP] for at in range(0, len(text), OF_A_GROUP))


def _letters(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed.upper()).translate(MISREAD)


def _checked(label: str, typed: str) -> str:
    letters = _letters(typed)
    piece, check = letters[:-2], letters[-2:]
    if set(letters) - set(LETTERS) or _check(label, piece) != check:
        raise PaperBroken(f"Line {label} has a typing error. Compare it with the page.")
    return piece


def _joined(name: str, parts: dict[int, str]) -> bytes:
    if sorted(parts) != list(range(1, len(parts) + 1)):
        raise PaperBroken(f"A line of {name} is missing: there are {sorted(parts)}.")
    return _decoded(name, "".join(parts[number] for number in sorted(parts)))


def _encoded(secret: bytes) -> str:
    standard = base64.b32encode(secret).decode().rstrip("=")
    return standard.translate(str.maketrans(OF_THE_STANDARD, LETTERS))


def _decoded(name: str, text: str) -> bytes:
    if len(text) * 5 // 8 not in {32, 64}:
        raise PaperBroken(f"The lines of {name} are too few or too many.")
    standard = text.translate(str.maketrans(LETTERS, OF_THE_STANDARD))
    return base64.b32decode(standard + "=" * (-len(standard) % 8))


def _check(label: str, piece: str) -> str:
    digest = hashlib.sha256(f"{label} {piece}".encode()).digest()
    return LETTERS[digest[0] & 31] + LETTERS[digest[1] & 31]


def _of(keys: Keys) -> str:
    """Eight letters over all of it, so that a generation that was left out is noticed."""
    digest = hashlib.sha256()
    for name, secret in _named(keys):
        digest.update(f"{name}:".encode() + secret)
    return _encoded(digest.digest())[:8]
