"""A TCP proxy that delays what the server sends.

python benchmarks/delay.py PORT SERVER_PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

READ_BYTES = 256 * 1024


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the server, without a delay."""
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


async def delay_back(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """From the server, each piece delayed."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(READ_BYTES):
        loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


async def proxy(
    server_port: int, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Handles one connection."""
    from_server, to_server = await asyncio.open_connection("127.0.0.1", server_port)
    await asyncio.gather(
        forward(reader, to_server), delay_back(from_server, writer, seconds), return_exceptions=True
    )


async def main(port: int, server_port: int, seconds: float) -> None:
    """Serves until it is terminated."""
    server = await asyncio.start_server(
        partial(proxy, server_port, seconds), "127.0.0.1", port, limit=READ_BYTES
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
