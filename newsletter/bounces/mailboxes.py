"""Where mail for the return path waits: a Maildir or an IMAP mailbox. Obeyed, it goes."""

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

MOST_TAKEN = 1024 * 1024
"""Bytes of one mail; what is beyond is not even fetched."""
AT_ONCE = 500
"""Mails of one turn; the next turn takes the rest."""
IMAP_TIMEOUT = 30
"""Seconds for each answer of the server."""
IMAP_TURN = 120
"""Seconds for a whole turn: a server that drips a byte now and then hangs no worker."""

Obey = Callable[[bytes], object]
"""Whatever it raises, the mail stays where it is."""
IsOver = Callable[[], bool]
"""Whether the turn is, so that the rest waits for the next one."""


def never() -> bool:
    """For a command, which a person waits for."""
    return False


class SourceBroken(Exception):
    """The mail cannot be fetched; says why, without a password. Nothing is lost."""


def take_from_maildir(folder: Path, obey: Obey, is_over: IsOver = never) -> int:
    """Returns how many mails were obeyed. Raises SourceBroken, after all that can be taken."""
    done = failed = 0
    for path in _waiting(folder):
        if done == AT_ONCE or is_over():
            break
        try:
            raw = _start_of(path)
        except FileNotFoundError:
            continue  # Another worker was faster.
        except OSError:
            failed += 1
            continue
        obey(raw)
        path.unlink(missing_ok=True)
        done += 1
    if failed:
        raise SourceBroken(f"{failed} mails in {folder} cannot be read. {done} were taken.")
    return done


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_TAKEN)


def _waiting(folder: Path) -> list[Path]:
    """Oldest first. What is still under tmp/ is not whole."""
    if not (folder / "new").is_dir():
        raise SourceBroken(f"{folder} is no Maildir: it has no folder new/.")
    found: list[Path] = []
    for name in ("new", "cur"):
        try:
            found += (path for path in (folder / name).glob("[!.]*") if path.is_file())
        except OSError as error:
            raise SourceBroken(f"{folder} cannot be read: {error.strerror}.") from None
        # What is obeyed and stays would be obeyed again each time.
        if not os.access(folder / name, os.W_OK | os.X_OK) and (folder / name).exists():
            raise SourceBroken(f"{folder / name} is not ours to delete from. Nothing was taken.")
    return sorted(found, key=lambda path: path.name)


def take_from_imap(mailbox: Mailbox, obey: Obey, is_over: IsOver = never) -> int:
    """Returns how many mails were obeyed and deleted. Raises SourceBroken."""
    done = failed = 0
    try:
        with _opened(mailbox) as server:
            for uid in _uids(server):
                if done == AT_ONCE or is_over():
                    break
                answer, raw = _fetch(server, uid)
                if raw is None:
                    failed += answer != "OK"  # Else another worker was faster.
                    continue
                obey(raw)
                _delete(server, uid)
                done += 1
    except (OSError, imaplib.IMAP4.error, ValueError, EOFError) as error:
        # A server's own words may quote a mail.
        raise SourceBroken(
            f"The mailbox {mailbox} cannot be read ({type(error).__name__}). "
            f"{done} mails were taken; the rest waits there."
        ) from None
    if failed:
        raise SourceBroken(f"The mailbox {mailbox} did not hand out {failed} mails; {done} it did.")
    return done


class _CutOff:
    """Mixed into imaplib's clients: once the turn is over, the socket is shut under them."""

    sock: socket.socket
    _enough: threading.Timer | None = None

    def open(self, *args: Any, **kwargs: Any) -> None:
        super().open(*args, **kwargs)  # type: ignore[misc]
        self._enough = threading.Timer(IMAP_TURN, self._cut)
        self._enough.daemon = True
        self._enough.start()

    def _cut(self) -> None:
        # Not imaplib's own shutdown(), which would wait for whoever is reading just now.
        with suppress(OSError, ValueError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def shutdown(self) -> None:
        if self._enough is not None:
            self._enough.cancel()
        with suppress(OSError):
            super().shutdown()  # type: ignore[misc]


class _Plain(_CutOff, imaplib.IMAP4):
    """For a server on this machine, or behind a tunnel."""


class _Encrypted(_CutOff, imaplib.IMAP4_SSL):
    """With a certificate that is checked."""


@contextmanager
def _opened(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    server: imaplib.IMAP4
    if mailbox.is_encrypted:
        context = ssl.create_default_context()
        server = _Encrypted(mailbox.host, mailbox.port, ssl_context=context, timeout=IMAP_TIMEOUT)
    else:
        server = _Plain(mailbox.host, mailbox.port, timeout=IMAP_TIMEOUT)
    try:
        server.login(mailbox.user, mailbox.password)
        quoted = mailbox.folder.replace("\\", r"\\").replace('"', r"\"")
        answer, _data = server.select(f'"{quoted}"')
        _name, flags = server.response("PERMANENTFLAGS")
        if answer != "OK":
            raise SourceBroken(f"There is no mailbox {mailbox}.")
        if flags and flags[0] is not None and rb"\deleted" not in flags[0].lower():
            raise SourceBroken(f"The mailbox {mailbox} is not ours to delete from.")
        yield server
        server.logout()
    finally:
        server.shutdown()


def _uids(server: imaplib.IMAP4) -> list[str]:
    """Not those that a process marked that was killed before they went."""
    _answer, data = server.uid("SEARCH", "UNDELETED")
    return [uid.decode() for uid in (data[0] or b"").split()]


def _fetch(server: imaplib.IMAP4, uid: str) -> tuple[str, bytes | None]:
    answer, data = server.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MOST_TAKEN}>)")
    found = next((part[1] for part in data or [] if isinstance(part, tuple)), None)
    return answer, found if isinstance(found, bytes) else None


def _delete(server: imaplib.IMAP4, uid: str) -> None:
    answer, _data = server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
    if answer != "OK":
        raise imaplib.IMAP4.error("it cannot be deleted")
    server.expunge()
