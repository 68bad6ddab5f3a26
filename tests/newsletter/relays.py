"""A relay with moods: it can refuse, hang up, or lose its connection after the dot."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from demo.mail_catcher.smtp import Catching

Mood = Callable[[Any, str], str | None]


def after(letters: int, reply: str) -> Mood:
    """Says this to every one after the first so many."""
    seen = 0

    def mood(_server: Any, _about: str) -> str | None:
        nonlocal seen
        seen += 1
        return reply if seen > letters else None

    return mood


def to(address: str, reply: str) -> Mood:
    """Says this about one recipient."""
    return lambda _server, about: reply if about == address else None


def hang_up(_server: Any, _about: str) -> str | None:
    """Ends the connection without a word."""
    _server.transport.close()
    return "421 4.3.2 never arrives"


def once(mood: Mood) -> Mood:
    """Has the mood the first time only."""
    had: list[bool] = []

    def first(server: Any, about: str) -> str | None:
        if had:
            return None
        had.append(True)
        return mood(server, about)

    return first


@contextlib.contextmanager
def closed_door(greeting: bytes) -> Iterator[int]:
    """A relay that says one thing to whoever comes, and hangs up; its port."""

    class Door(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(greeting + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Moody(Catching):
    """Keeps letters as the catcher does, but for the moods of a command."""

    moods: ClassVar[dict[str, Mood]] = {}

    def _mood(self, command: str, server: Any, about: str) -> str | None:
        mood = self.moods.get(command)
        return mood(server, about) if mood else None

    async def handle_MAIL(
        self, server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        reply = self._mood("MAIL", server, address)
        if reply is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply or "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        reply = self._mood("RCPT", server, address)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = self._mood("DATA", server, envelope.rcpt_tos[0])
        if reply is not None:
            return reply
        kept = await super().handle_DATA(server, session, envelope)
        return self._mood("KEPT", server, envelope.rcpt_tos[0]) or kept
