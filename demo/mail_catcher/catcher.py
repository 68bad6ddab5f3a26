"""The mail catcher: a letter box, an SMTP server and an optional web page."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.mail_catcher.letters import Letter, LetterBox
from demo.mail_catcher.page import PageServer
from demo.mail_catcher.smtp import CatchingHandler, SmtpServer

ANY_PORT = 0


class CatcherError(Exception):
    """A port or the folder is unusable; names the option to change it."""


class Catcher:
    """Receives letters between `start` and `stop`, or within `with`.

    After a reply of 250 the letter is in `letters`. Port 0 is any free port; without a page port
    there is no page.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        smtp_port: int = ANY_PORT,
        page_port: int | None = None,
        handler: type[CatchingHandler] = CatchingHandler,
    ) -> None:
        self.box = LetterBox(folder)
        self.host = host
        self.smtp_port = smtp_port
        self.page_port = page_port
        self._handler = handler(self.box)
        self._running = ExitStack()

    @property
    def letters(self) -> list[Letter]:
        """The received letters, oldest first."""
        return self.box.letters()

    def start(self) -> None:
        """Returns once the ports are open. Raises CatcherError."""
        try:
            self.box.make_folder()
        except OSError as error:
            raise CatcherError(
                f"Letters cannot be kept in {self.box.folder}: {error.strerror or error}. "
                "Make it a folder that you may write to, or give another with --directory."
            ) from None
        with ExitStack() as started:
            smtp = listen(self.host, self.smtp_port, "--smtp-port")
            started.callback(smtp.close)
            self.smtp_port = smtp.getsockname()[1]
            if self.page_port is not None:
                page = listen(self.host, self.page_port, "--page-port")
                self.page_port = page.getsockname()[1]
                started.callback(PageServer(page, self.box).stop)
            started.callback(SmtpServer(smtp, self._handler).stop)
            self._running = started.pop_all()

    def stop(self) -> None:
        """Stops at once; the letters stay."""
        self._running.close()

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
    """A listening socket. Raises CatcherError."""
    try:
        return socket.create_server((host, port), backlog=128)
    except (OSError, OverflowError) as error:
        raise CatcherError(
            f"Port {port} of {host} cannot be opened: {getattr(error, 'strerror', error)}. "
            f"End what has it, or choose another with {option}."
        ) from None
