"""How gunicorn's processes share what comes, on real sockets."""

import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from newsroom import supervising
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS = 2, 4
SOON = 10
"""Seconds, of which an answer that needs no other's end takes a few thousandths."""


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Reads all that it is sent, as slowly as that comes."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"OK"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", __name__, "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", str(PROCESSES), "--threads", str(THREADS), "--chdir", str(ROOT)]
    with supervising.running({"web": command}, {"PYTHONPATH": str(ROOT)}, tmp_path):
        supervising.wait_for_answer(f"http://127.0.0.1:{port}", [])
        yield port


def test_nobody_waits_behind_a_slow_upload_while_another_process_has_a_free_thread(
    port: int,
) -> None:
    slow = [
        socket.create_connection(("127.0.0.1", port)) for _thread in range(PROCESSES * THREADS - 1)
    ]
    try:
        for upload in slow:
            upload.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        for _reader in range(20):
            assert answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200")
        for upload in slow:
            upload.sendall(b"xx")
            assert heard(upload).startswith(b"HTTP/1.1 200")
    finally:
        for upload in slow:
            upload.close()


def answer(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as reader:
        reader.sendall(request)
        return heard(reader)


def heard(connection: socket.socket) -> bytes:
    connection.settimeout(SOON)
    return connection.recv(1000)
