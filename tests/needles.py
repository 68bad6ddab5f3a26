"""Searches a seized disk for an address, an IP address or a token in every common encoding.

Not among them: what is encrypted or hashed with a key, which is worthless without it.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

from django.conf import settings

RESERVED_DOMAINS = ("example.org", "example.com", "example.net")
HASHES = ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s")
ZERO_RUN = re.compile(rb"\0{64,}")


@dataclass(frozen=True)
class Needle:
    """Bytes to search for; a folded one case-insensitively."""

    what: str
    content: bytes
    folded: bool = False


@dataclass(frozen=True)
class SeizedItem:
    """One seized item: a file, or a database dump."""

    where: str
    content: bytes


def of_address(typed: str) -> list[Needle]:
    """The address as typed and normalised, its identifying parts, and their hashes."""
    local, _at, domain = typed.rpartition("@")
    ascii_domain = domain.encode("idna").decode()
    spellings = {typed, f"{local}@{ascii_domain}"}
    needles = []
    for text in (*spellings, local):
        needles += of_text(text)
    if domain.lower() not in {*settings.PROVIDERS, *RESERVED_DOMAINS}:
        # A private domain identifies its owner.
        needles += of_text(domain) + of_text(ascii_domain)
    for text in spellings:
        for form in {text, text.lower(), text.upper()}:
            needles += hashes_of(form)
    return needles


def of_ip(text: str) -> list[Needle]:
    """An IP address in its notations, and hashed: all hashes can be brute-forced in a day."""
    address = ip_address(text)
    notations = {text, address.compressed, address.exploded, address.reverse_pointer}
    needles = [needle for notation in notations for needle in of_text(notation)]
    if address.version == 6:
        # Four bytes occur anywhere by chance, sixteen do not.
        needles.append(Needle(f"{text} packed", address.packed))
    return needles + hashes_of(text)


def of_token(token: str) -> list[Needle]:
    """Either half of a letter's token, since a link may be truncated; and its bytes."""
    sealed = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    needles = [Needle(f"{token} decoded", half) for half in (sealed[:14], sealed[14:])]
    for half in (token[:22], token[-22:]):
        needles += of_text(half)
    return needles


def of_text(text: str) -> list[Needle]:
    """A text in the encodings of files, databases and protocols."""
    spelled = {
        "as it is": text.encode(),
        "backwards": text[::-1].encode(),
        "percent-encoded": quote(text, safe="").encode(),
        "escaped": json.dumps(text)[1:-1].encode(),
        "in ROT13": codecs.encode(text, "rot13").encode(),
    }
    needles = [Needle(f"{text} {how}", _fold(content), True) for how, content in spelled.items()]
    for spelling in {text, text.lower()}:
        plain = spelling.encode()
        needles.append(Needle(f"{spelling} in hexadecimal", plain.hex().encode(), True))
        base32 = base64.b32encode(plain).rstrip(b"=")[:-1]
        needles.append(Needle(f"{spelling} in base32", _fold(base32), True))
        for coding in ("utf-16-le", "utf-16-be"):
            needles.append(Needle(f"{spelling} in {coding}", spelling.encode(coding)))
        for alphabet in (b"+/", b"-_"):
            for offset in range(3):
                content = _inside_base64(plain, offset, alphabet)
                needles.append(Needle(f"{spelling} in base64", content))
    return needles


def hashes_of(text: str) -> list[Needle]:
    """Unkeyed hashes, which hide nothing."""
    needles = []
    for name in HASHES:
        digest = hashlib.new(name, text.encode()).digest()
        needles += [
            Needle(f"{name} of {text}", digest),
            Needle(f"{name} of {text} in hexadecimal", digest.hex().encode(), True),
            Needle(f"{name} of {text} in base64", base64.b64encode(digest).rstrip(b"=")),
            Needle(f"{name} of {text} in base64", base64.urlsafe_b64encode(digest).rstrip(b"=")),
        ]
    return needles


def _inside_base64(plain: bytes, offset: int, alphabet: bytes) -> bytes:
    """The part of its base64 that does not depend on the surrounding text."""
    encoded = base64.b64encode(b"\0" * offset + plain, alphabet).rstrip(b"=")
    begin = (0, 2, 3)[offset]
    end = len(encoded) if (offset + len(plain)) % 3 == 0 else len(encoded) - 1
    return encoded[begin:end]


def _fold(content: bytes) -> bytes:
    """Lower case for ASCII and Cyrillic."""
    return content.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def files_below(*roots: Path) -> Iterator[SeizedItem]:
    """Every file with its path."""
    for root in roots:
        for folder, _folders, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                if path.is_file():
                    yield SeizedItem(str(path), path.read_bytes())


Wanted = dict[tuple[bytes, bool], Needle]
_known_absent: dict[bytes, list[frozenset[tuple[bytes, bool]]]] = {}
"""By the hash of a content, the needles it does not contain: most of a disk stays as it was."""


def search(haystack: Iterable[SeizedItem], needles: Iterable[Needle]) -> list[tuple[str, str]]:
    """Where something was found, and what."""
    wanted = {(needle.content, needle.folded): needle for needle in needles}
    everything = frozenset(wanted)
    # A new database cluster is mostly copies of the same files.
    places: dict[bytes, list[str]] = {}
    for straw in haystack:
        places.setdefault(straw.where.encode(), []).append(straw.where)
        places.setdefault(ZERO_RUN.sub(b"\0" * 64, straw.content), []).append(straw.where)
    found = []
    for content, where in places.items():
        known = _known_absent.setdefault(hashlib.sha256(content).digest(), [])
        left = everything.difference(*known)
        there = _found_in(content, {key: wanted[key] for key in left}) if left else []
        if left and not there:
            known.append(everything)
        found += [(place, what) for place in where for what in there]
    return found


def _found_in(content: bytes, wanted: Wanted) -> list[str]:
    folded = _fold(content)
    return [
        needle.what
        for needle in wanted.values()
        if needle.content in (folded if needle.folded else content)
    ]
