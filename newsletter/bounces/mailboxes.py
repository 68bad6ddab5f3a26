"""Reads the return path's mailbox, a Maildir or over IMAP. Processed mail is deleted."""

from __future__ import annotations

import imaplib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from newsletter.bounces.mailbox_config import Mailbox

MAX_MAIL_BYTES = 1024 * 1024
"""What is read of one mail; the rest is not fetched."""
BATCH_SIZE = 500
"""Mails per poll; the next poll processes the rest."""
IMAP_TIMEOUT_SECONDS = 30
"""For each reply of the server."""
IMAP_SESSION_SECONDS = 120
"""For a whole session: a server that trickles bytes blocks no worker."""

MailHandler = Callable[[bytes], object]
"""If it raises, the mail stays in the mailbox."""
ShouldStop = Callable[[], bool]
"""Whether the rest is left for the next poll."""


def never_stop() -> bool:
    """For a management command."""
    return False


class MailboxUnavailable(Exception):
    """The mail cannot be fetched; says why, without a password. Nothing is lost."""


def process_maildir(folder: Path, handle: MailHandler, should_stop: ShouldStop = never_stop) -> int:
    """Returns how many mails were processed. Raises MailboxUnavailable, after all readable ones."""
    done = failed = 0
    for path in _waiting(folder):
        if done == BATCH_SIZE or should_stop():
            break
        try:
            raw = _read_start(path)
        except FileNotFoundError:
            continue  # Another worker was faster.
        except OSError:
            failed += 1
            continue
        handle(raw)
        path.unlink(missing_ok=True)
        done += 1
    if failed:
        raise MailboxUnavailable(
            f"{failed} mails in {folder} cannot be read. {done} were processed."
        )
    return done


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_MAIL_BYTES)


def _waiting(folder: Path) -> list[Path]:
    """Oldest first. Mails under tmp/ are still being delivered."""
    if not (folder / "new").is_dir():
        raise MailboxUnavailable(f"{folder} is no Maildir: it has no folder new/.")
    found: list[Path] = []
    for name in ("new", "cur"):
        try:
            found += (path for path in (folder / name).glob("[!.]*") if path.is_file())
        except OSError as error:
            raise MailboxUnavailable(f"{folder} cannot be read: {error.strerror}.") from None
        # A mail that cannot be deleted would be processed again at each poll.
        if not os.access(folder / name, os.W_OK | os.X_OK) and (folder / name).exists():
            raise MailboxUnavailable(
                f"Mails in {folder / name} cannot be deleted (permissions). Nothing was processed."
            )
    return sorted(found, key=lambda path: path.name)


def process_imap(
    mailbox: Mailbox, handle: MailHandler, should_stop: ShouldStop = never_stop
) -> int:
    """Returns how many mails were processed and deleted. Raises MailboxUnavailable."""
    done = failed = 0
    try:
        with _connect(mailbox) as server:
            for uid in _uids(server):
                if done == BATCH_SIZE or should_stop():
                    break
                answer, raw = _fetch(server, uid)
                if raw is None:
                    failed += answer != "OK"  # Else another worker was faster.
                    continue
                handle(raw)
                _delete(server, uid)
                done += 1
    except (OSError, imaplib.IMAP4.error, ValueError, EOFError) as error:
        # The server's own text may quote a mail.
        raise MailboxUnavailable(
            f"The mailbox {mailbox} cannot be read ({type(error).__name__}). "
            f"{done} mails were processed; the rest waits there."
        ) from None
    if failed:
        raise MailboxUnavailable(
            f"The mailbox {mailbox} did not deliver {failed} mails; {done} were processed."
        )
    return done


class _SessionTimeout:
    """Mixed into imaplib's clients: closes the socket after IMAP_SESSION_SECONDS."""

    sock: socket.socket
    _timer: threading.Timer | None = None

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)  # type: ignore[misc]
        self._timer = threading.Timer(IMAP_SESSION_SECONDS, self._close_socket)
        self._timer.daemon = True
        self._timer.start()

    def _close_socket(self) -> None:
        # imaplib's own shutdown() would wait for a read in progress.
        with suppress(OSError, ValueError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def shutdown(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with suppress(OSError):
            super().shutdown()  # type: ignore[misc]


class _PlainClient(_SessionTimeout, imaplib.IMAP4):
    """For a server on this host, or behind a tunnel."""


class _TLSClient(_SessionTimeout, imaplib.IMAP4_SSL):
    """Verifies the certificate."""


@contextmanager
def _connect(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    server: imaplib.IMAP4
    if mailbox.is_encrypted:
        context = ssl.create_default_context()
        server = _TLSClient(
            mailbox.host, mailbox.port, ssl_context=context, timeout=IMAP_TIMEOUT_SECONDS
        )
    else:
        server = _PlainClient(mailbox.host, mailbox.port, timeout=IMAP_TIMEOUT_SECONDS)
    try:
        server.login(mailbox.user, mailbox.password)
        quoted = mailbox.folder.replace("\\", r"\\").replace('"', r"\"")
        answer, _data = server.select(f'"{quoted}"')
        _name, flags = server.response("PERMANENTFLAGS")
        if answer != "OK":
            raise MailboxUnavailable(f"There is no mailbox {mailbox}.")
        if flags and flags[0] is not None and rb"\deleted" not in flags[0].lower():
            raise MailboxUnavailable(f"Mails in {mailbox} cannot be deleted: it is read-only.")
        yield server
        server.logout()
    finally:
        server.shutdown()


def _uids(server: imaplib.IMAP4) -> list[str]:
    """Without those that a killed process had marked as deleted."""
    _answer, data = server.uid("SEARCH", "UNDELETED")
    return [uid.decode() for uid in (data[0] or b"").split()]


def _fetch(server: imaplib.IMAP4, uid: str) -> tuple[str, bytes | None]:
    answer, data = server.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MAX_MAIL_BYTES}>)")
    found = next((part[1] for part in data or [] if isinstance(part, tuple)), None)
    return answer, found if isinstance(found, bytes) else None


def _delete(server: imaplib.IMAP4, uid: str) -> None:
    answer, _data = server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
    if answer != "OK":
        raise imaplib.IMAP4.error("it cannot be deleted")
    server.expunge()
