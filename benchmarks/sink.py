"""An SMTP server that writes each letter down, durably, before it answers: what it has is true.

    python benchmarks/sink.py PORT FILE [SECONDS]

A line of FILE is one letter: its recipient and its Message-ID. SECONDS is how long it takes over
each, so that there is time to kill something.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from functools import partial
from pathlib import Path

MESSAGE_ID = re.compile(rb"(?im)^Message-ID: *(\S+)")
RECIPIENT = re.compile(rb"RCPT TO:<([^>]*)>", re.IGNORECASE)


async def serve(
    file: int, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, to its end."""
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
                writer.write(b"250 2.0.0 kept\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                break
            else:
                writer.write(b"250 2.0.0 ok\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # Whoever spoke was killed: what had not come wholly is no letter.
    finally:
        writer.close()


async def main(port: int, path: Path, seconds: float) -> None:
    """Until it is killed."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    server = await asyncio.start_server(
        partial(serve, file, seconds), "127.0.0.1", port, limit=1024 * 1024, reuse_address=True
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), float([*sys.argv, "0"][3])))
