"""The SMTP server: a letter is on disk before the reply of 250."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import logging
import socket
import threading
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.mail_catcher.letters import LetterBox

log = logging.getLogger(__name__)
# aiosmtpd logs every command, with subscribers' addresses.
logging.getLogger("mail.log").setLevel(logging.WARNING)

MAX_MESSAGE_BYTES = 25 * 1024 * 1024
STORAGE_FAILED = "452 4.3.1 The letter could not be kept; try again later"


class CatchingHandler:
    """aiosmtpd's handler. Tests override hooks to simulate faults."""

    def __init__(self, box: LetterBox) -> None:
        self.box = box

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Announces PIPELINING (RFC 2920) too: aiosmtpd buffers commands."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Stores the letter, then replies."""
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        content = envelope.content
        assert isinstance(content, bytes)
        now = dt.datetime.now(dt.UTC)
        try:
            # In a thread, so as not to block other connections.
            await asyncio.to_thread(self.box.put, sender, list(envelope.rcpt_tos), content, now)
        except OSError as error:
            log.error("A letter could not be kept in %s: %s", self.box.folder, error)
            return STORAGE_FAILED
        return "250 2.0.0 Caught"


class SmtpServer:
    """aiosmtpd on a listening socket, in a thread."""

    def __init__(self, listener: socket.socket, handler: CatchingHandler) -> None:
        self._listener = listener
        self._handler = handler
        self._stop: concurrent.futures.Future[None] = concurrent.futures.Future()
        # Earlier connections wait in the socket's backlog.
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Closes the socket and every connection."""
        self._stop.set_result(None)
        self._thread.join()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, sock=self._listener)
        await asyncio.wrap_future(self._stop)
        # asyncio.run cancels the connections; wait_closed would wait for them.
        server.close()

    def _protocol(self) -> Any:
        return SMTP(
            self._handler,
            data_size_limit=MAX_MESSAGE_BYTES,
            hostname="localhost",
            ident="the newsroom's mail catcher",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
