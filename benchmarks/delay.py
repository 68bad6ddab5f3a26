"""A line to a server that is far away: what it says arrives later, and nothing is lost.

python benchmarks/delay.py PORT SERVER_PORT SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

AT_ONCE = 256 * 1024


async def there(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To the server, at once."""
    while data := await reader.read(AT_ONCE):
        writer.write(data)
        await writer.drain()
    writer.close()


async def back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """From the server, each piece so much later."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(AT_ONCE):
        loop.call_later(seconds, writer.write, data)
    loop.call_later(seconds, writer.close)


async def carry(
    server_port: int, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, to its end."""
    from_server, to_server = await asyncio.open_connection("127.0.0.1", server_port)
    await asyncio.gather(
        there(reader, to_server), back(from_server, writer, seconds), return_exceptions=True
    )


async def main(port: int, server_port: int, seconds: float) -> None:
    """Until it is ended."""
    server = await asyncio.start_server(
        partial(carry, server_port, seconds), "127.0.0.1", port, limit=AT_ONCE
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
