"""An SMTP server that stores each letter durably before it replies.

    python benchmarks/sink.py PORT FILE [SECONDS [LETTERS]]

Each line of FILE is a letter's recipient and Message-ID. SECONDS is the time per letter, so that
there is time to kill something. Once FILE has LETTERS lines, the server kills itself before it
replies to the last one.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from functools import partial
from pathlib import Path

MESSAGE_ID = re.compile(rb"(?im)^Message-ID: *(\S+)")
RECIPIENT = re.compile(rb"RCPT TO:<([^>]*)>", re.IGNORECASE)


async def serve(
    file: int,
    seconds: float,
    letters: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Handles one connection."""
    recipient = b""
    writer.write(b"220 sink ESMTP\r\n")
    try:
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            elif verb == b"RCPT":
                found = RECIPIENT.match(line)
                recipient = found[1] if found else b"?"
                writer.write(b"250 2.1.5 ok\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(seconds)
                found = MESSAGE_ID.search(text)
                os.write(file, recipient + b" " + (found[1] if found else b"?") + b"\n")
                os.fsync(file)
                if letters and os.pread(file, 1024 * 1024, 0).count(b"\n") >= letters:
                    os.kill(os.getpid(), signal.SIGKILL)
                writer.write(b"250 2.0.0 kept\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                break
            else:
                writer.write(b"250 2.0.0 ok\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # The client was killed: an incomplete letter does not count.
    finally:
        writer.close()


async def main(port: int, path: Path, seconds: float, letters: int) -> None:
    """Serves until it is killed."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    server = await asyncio.start_server(
        partial(serve, file, seconds, letters),
        "127.0.0.1",
        port,
        limit=1024 * 1024,
        reuse_address=True,
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    port, path, *more = sys.argv[1:]
    seconds, letters = [*more, "0", "0"][:2]
    asyncio.run(main(int(port), Path(path), float(seconds), int(letters)))
