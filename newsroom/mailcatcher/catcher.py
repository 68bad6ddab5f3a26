"""The mail catcher as a whole: a box, an SMTP server and, if wanted, a page."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from newsroom.mailcatcher.letters import Letter, LetterBox
from newsroom.mailcatcher.page import PageServer
from newsroom.mailcatcher.smtp import Catching, SmtpServer

ANY_PORT = 0


class PortTaken(Exception):
    """A port cannot be listened on; names it, and the option that chooses another."""


class Catcher:
    """Catches letters between `start` and `stop`, or within `with`.

    Whoever has been answered 250 finds the letter in `letters`. A port of 0 is any free one;
    without a page port there is no page.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        smtp_port: int = ANY_PORT,
        page_port: int | None = None,
        handler: type[Catching] = Catching,
    ) -> None:
        self.box = LetterBox(folder)
        self.host = host
        self.smtp_port = smtp_port
        self.page_port = page_port
        self._handler = handler(self.box)
        self._smtp: SmtpServer | None = None
        self._page: PageServer | None = None

    @property
    def letters(self) -> list[Letter]:
        """What was caught, oldest first."""
        return self.box.letters()

    @property
    def page_url(self) -> str:
        """Where to look at it, for somebody on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.page_port}/"

    def start(self) -> None:
        """Listens when it returns. Raises BadFolder or PortTaken and leaves nothing open."""
        self.box.prepare()
        smtp = listen(self.host, self.smtp_port, "--smtp-port")
        if self.page_port is not None:
            try:
                page = listen(self.host, self.page_port, "--page-port")
            except PortTaken:
                smtp.close()
                raise
            self.page_port = page.getsockname()[1]
            self._page = PageServer(page, self.box)
            self._page.start()
        self.smtp_port = smtp.getsockname()[1]
        self._smtp = SmtpServer(smtp, self._handler)
        self._smtp.start()

    def stop(self) -> None:
        """Ends at once; what was caught stays."""
        if self._smtp is not None:
            self._smtp.stop()
        if self._page is not None:
            self._page.stop()
        self._smtp = self._page = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def listen(host: str, port: int, option: str) -> socket.socket:
    """A listening socket. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} of {host} is taken by another program. "
                f"End that program, or choose another port with {option}."
            ) from None
        raise PortTaken(
            f"Port {port} of {host} cannot be opened: {error.strerror or error}. "
            f"Choose another with {option}, or another address with --host."
        ) from None
