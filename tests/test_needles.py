"""The search of the seizure test finds what it is for, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from tests.needles import SeizedItem, files_below, of_address, of_ip, of_token, search

ADDRESS = "Planted.K3v9+news@planted-пошта.бел"
NORMAL = "planted.k3v9+news@" + "planted-пошта.бел".encode("idna").decode()
TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijkla"
ADDRESSES_GUISES: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in capitals": lambda text: text.upper().encode(),
    "in a log": lambda text: f"RCPT TO:<{text}> refused\n".encode(),
    "in a query": lambda text: b"email=" + quote_plus(text).encode(),
    "in JSON": lambda text: json.dumps({"to": text}).encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "in bytes of a dump": lambda text: b"\\x00" + text.encode().hex().upper().encode(),
    "only the name": lambda text: text.rpartition("@")[0].encode(),
    "only the domain": lambda text: text.rpartition("@")[2].encode(),
    "backwards": lambda text: text[::-1].encode(),
    "in base32": lambda text: base64.b32encode(text.encode()),
    "in a message, first": lambda text: base64.b64encode(f"{text}, 1".encode()),
    "in a message, second": lambda text: base64.b64encode(f'"{text}"'.encode()),
    "in a message, third": lambda text: base64.b64encode(f'["{text}"], {{}}'.encode()),
    "in a link": lambda text: base64.urlsafe_b64encode(f"?{text}?".encode()),
    "hashed": lambda text: hashlib.sha256(text.encode()).digest(),
    "hashed in hexadecimal": lambda text: hashlib.md5(text.encode()).hexdigest().encode(),
    "hashed in base64": lambda text: base64.b64encode(hashlib.sha1(text.encode()).digest()),
}


@pytest.mark.parametrize("address", [ADDRESS, NORMAL])
@pytest.mark.parametrize("guise", ADDRESSES_GUISES)
def test_an_address_is_found_in_every_encoding(guise: str, address: str) -> None:
    content = os.urandom(500) + ADDRESSES_GUISES[guise](address) + os.urandom(500)
    assert search([SeizedItem("here", content)], of_address(ADDRESS))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("198.51.100.7", "from 198.51.100.7:443"),
        ("198.51.100.7", "7.100.51.198.in-addr.arpa"),
        ("198.51.100.7", hashlib.sha256(b"198.51.100.7").hexdigest()),
        ("2001:db8:5eed::7", "2001:0DB8:5EED:0000:0000:0000:0000:0007"),
        ("2001:db8:5eed::7", base64.b64encode(b"ip 2001:db8:5eed::7").decode()),
    ],
)
def test_an_ip_address_is_found_in_its_notations(address: str, said: str) -> None:
    assert search([SeizedItem("here", said.encode())], of_ip(address))


@pytest.mark.parametrize("said", [TOKEN, TOKEN.upper(), TOKEN[:-3], f"{TOKEN[:22]} {TOKEN[22:]}"])
def test_a_token_is_found_in_any_case_and_broken(said: str) -> None:
    assert search([SeizedItem("log", f"/en/letter/{said}/".encode())], of_token(TOKEN))


def test_nothing_is_found_where_nothing_is() -> None:
    others = b"reader@example.org from 203.0.113.9, 2001:db8::1, " + os.urandom(1_000_000)
    wanted = of_address(ADDRESS) + of_ip("198.51.100.7") + of_token(TOKEN)
    assert search([SeizedItem("here", others)], wanted) == []


def test_every_file_is_read_with_its_name_and_however_deep(tmp_path: Path) -> None:
    (tmp_path / "a" / ".hidden").mkdir(parents=True)
    (tmp_path / "a" / ".hidden" / "file").write_text(f"to {NORMAL}")
    (tmp_path / f"letter to {NORMAL}").touch()
    (tmp_path / "empty").touch()
    # Behind more emptiness than is looked at, as in a log of transactions.
    (tmp_path / "sparse").write_bytes(b"\0" * 1_000_000 + NORMAL.encode())
    places = {
        Path(where).name for where, _what in search(files_below(tmp_path), of_address(ADDRESS))
    }
    assert places == {"file", f"letter to {NORMAL}", "sparse"}


def test_a_row_that_is_not_in_the_database_file_yet_is_found(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "list.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE reader (address TEXT)")
    connection.execute("INSERT INTO reader VALUES (?)", [NORMAL])
    found = search(files_below(tmp_path), of_address(ADDRESS))
    connection.close()
    assert {Path(where).name for where, _what in found} == {"list.sqlite3-wal"}
