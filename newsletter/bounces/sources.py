"""Where mail for the return path waits: a Maildir or an IMAP mailbox. Obeyed, it goes."""

from __future__ import annotations

import imaplib
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from newsletter.bounces.reading import MOST_BYTES

AT_ONCE = 500
"""Mails of one turn; the next turn takes the rest."""
IMAP_TIMEOUT = 30
"""Seconds for each answer of the server."""
IMAP_TURN = 300
"""Seconds for a whole turn: a server that drips a byte now and then hangs no worker."""

Obey = Callable[[bytes], object]
"""Whatever it raises, the mail stays where it is."""


class SourceBroken(Exception):
    """The mail cannot be fetched; says why, without a password. Nothing is lost."""


def take_from_maildir(folder: Path, obey: Obey) -> int:
    """Returns how many mails were obeyed. Raises SourceBroken."""
    done = 0
    for path in _waiting(folder)[:AT_ONCE]:
        try:
            with path.open("rb") as file:
                raw = file.read(MOST_BYTES)
        except FileNotFoundError:
            continue  # Another worker was faster.
        except OSError as error:
            raise SourceBroken(f"{folder} cannot be read: {error.strerror}.") from None
        obey(raw)
        with suppress(FileNotFoundError):
            path.unlink()
        done += 1
    return done


def _waiting(folder: Path) -> list[Path]:
    """Oldest first. What is still under tmp/ is not whole."""
    if not (folder / "new").is_dir():
        raise SourceBroken(f"{folder} is no Maildir: it has no folder new/.")
    try:
        return sorted(
            (path for name in ("new", "cur") for path in (folder / name).glob("[!.]*")),
            key=lambda path: path.name,
        )
    except OSError as error:
        raise SourceBroken(f"{folder} cannot be read: {error.strerror}.") from None


@dataclass(frozen=True)
class ImapMailbox:
    """BOUNCE_IMAP_URL=imaps://user:password@host/INBOX."""

    host: str
    port: int
    user: str
    password: str
    folder: str
    is_encrypted: bool

    @classmethod
    def parse(cls, url: str) -> ImapMailbox:
        """Raises ImproperlyConfigured without repeating the password."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname
        except ValueError:
            host = port = None
        if not host or parts.scheme not in {"imaps", "imap"} or not parts.username:
            raise ImproperlyConfigured(
                "BOUNCE_IMAP_URL is not a mailbox. Write imaps://user:password@host/INBOX."
            )
        is_encrypted = parts.scheme == "imaps"
        return cls(
            host,
            port or (993 if is_encrypted else 143),
            unquote(parts.username),
            unquote(parts.password or ""),
            unquote(parts.path.lstrip("/")) or "INBOX",
            is_encrypted,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.folder}"


def take_from_imap(mailbox: ImapMailbox, obey: Obey) -> int:
    """Returns how many mails were obeyed and deleted. Raises SourceBroken."""
    done = 0
    try:
        with _opened(mailbox) as server:
            for uid in _uids(server):
                obey(_fetch(server, uid))
                server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
                server.expunge()
                done += 1
    except (OSError, imaplib.IMAP4.error, ValueError, EOFError) as error:
        # A server's own words may quote a mail.
        raise SourceBroken(
            f"The mailbox {mailbox} cannot be read ({type(error).__name__}). "
            f"{done} mails were taken; the rest waits there."
        ) from None
    return done


@contextmanager
def _opened(mailbox: ImapMailbox) -> Iterator[imaplib.IMAP4]:
    server: imaplib.IMAP4
    if mailbox.is_encrypted:
        context = ssl.create_default_context()
        server = imaplib.IMAP4_SSL(
            mailbox.host, mailbox.port, ssl_context=context, timeout=IMAP_TIMEOUT
        )
    else:
        server = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=IMAP_TIMEOUT)
    enough = threading.Timer(IMAP_TURN, server.shutdown)
    enough.daemon = True
    enough.start()
    try:
        server.login(mailbox.user, mailbox.password)
        answer, _data = server.select(f'"{mailbox.folder}"')
        if answer != "OK":
            raise imaplib.IMAP4.error("no such folder")
        yield server
        server.logout()
    finally:
        enough.cancel()
        with suppress(OSError):
            server.shutdown()


def _uids(server: imaplib.IMAP4) -> list[str]:
    _answer, data = server.uid("SEARCH", "ALL")
    return [uid.decode() for uid in (data[0] or b"").split()][:AT_ONCE]


def _fetch(server: imaplib.IMAP4, uid: str) -> bytes:
    """Not more of it than is looked at."""
    _answer, data = server.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
    found = next((part[1] for part in data or [] if isinstance(part, tuple)), None)
    if not isinstance(found, bytes):
        raise imaplib.IMAP4.error("no such mail")
    return found
