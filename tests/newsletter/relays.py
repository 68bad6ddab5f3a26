"""A relay with scripted replies: it can refuse, or drop the connection before or after the dot."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from demo.mail_catcher.smtp import CatchingHandler

ScriptedReply = Callable[[Any, str], str | None]


def after(letters: int, reply: str) -> ScriptedReply:
    """Replies like this to all but the first so many."""
    seen = 0

    def script(_server: Any, _about: str) -> str | None:
        nonlocal seen
        seen += 1
        return reply if seen > letters else None

    return script


def to(address: str, reply: str) -> ScriptedReply:
    """Replies like this to RCPT for one address."""
    return lambda _server, about: reply if about == address else None


def hang_up(_server: Any, _about: str) -> str | None:
    """Closes the connection without a reply."""
    _server.transport.close()
    return "421 4.3.2 never arrives"


def once(reply: ScriptedReply) -> ScriptedReply:
    """Gives the scripted reply the first time only."""
    had: list[bool] = []

    def first(server: Any, about: str) -> str | None:
        if had:
            return None
        had.append(True)
        return reply(server, about)

    return first


@contextlib.contextmanager
def refusing_server(greeting: bytes) -> Iterator[int]:
    """A server that sends one line to each client and closes the connection; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(greeting + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class ScriptedRelay(CatchingHandler):
    """Stores letters as the catcher does, unless `replies` has another reply to a command."""

    replies: ClassVar[dict[str, ScriptedReply]] = {}

    def _scripted(self, command: str, server: Any, about: str) -> str | None:
        script = self.replies.get(command)
        return script(server, about) if script else None

    async def handle_MAIL(
        self, server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        reply = self._scripted("MAIL", server, address)
        if reply is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply or "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        reply = self._scripted("RCPT", server, address)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = self._scripted("DATA", server, envelope.rcpt_tos[0])
        if reply is not None:
            return reply
        stored = await super().handle_DATA(server, session, envelope)
        return self._scripted("KEPT", server, envelope.rcpt_tos[0]) or stored
