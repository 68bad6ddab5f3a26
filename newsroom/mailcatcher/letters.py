"""What was caught: a Maildir on disk, and the reading of a letter however broken it is."""

from __future__ import annotations

import datetime as dt
import email
import email.header
import email.parser
import email.policy
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from functools import cached_property
from pathlib import Path

HEAD_BYTES = 64 * 1024
"""How much of a letter is read for its subject; a longer head is no letter of ours."""
SENDER, RECIPIENT, CAUGHT = b"X-Envelope-From: ", b"X-Envelope-To: ", b"X-Caught-At: "
LINE_ENDS = re.compile(r"\r?\n")


class BadFolder(Exception):
    """The folder cannot be written to; says which and why."""


@dataclass(frozen=True)
class Envelope:
    """What the SMTP dialogue said, whatever the letter itself says."""

    sender: str
    recipients: tuple[str, ...]
    caught_at: dt.datetime
    length: int
    """Bytes of the file before the letter itself."""


@dataclass(frozen=True)
class Contents:
    """The parts that a reader sees."""

    html: str = ""
    text: str = ""
    images: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Type and bytes of the pictures that the HTML may show, by Content-ID."""
    attachments: tuple[str, ...] = ()


class Letter:
    """One caught letter. Its file never changes, so what was read of it may be kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = unmarked(path.name)

    @cached_property
    def envelope(self) -> Envelope:
        """Read off the lines that we put before the letter."""
        sender, recipients, length = "", [], 0
        with self.path.open("rb") as file:
            for line in iter(file.readline, b""):
                length += len(line)
                if line.startswith(SENDER):
                    sender = _readable(line[len(SENDER) :])
                elif line.startswith(RECIPIENT):
                    recipients.append(_readable(line[len(RECIPIENT) :]))
                elif line.startswith(CAUGHT):
                    caught_at = dt.datetime.fromisoformat(_readable(line[len(CAUGHT) :]))
                    return Envelope(sender, tuple(recipients), caught_at, length)
                else:
                    break
        # Somebody else put this file here: there is no envelope.
        moment = dt.datetime.fromtimestamp(self.path.stat().st_mtime, dt.UTC)
        return Envelope("", (), moment, 0)

    @property
    def sender(self) -> str:
        """The envelope's, which is where bounces go."""
        return self.envelope.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        """The envelope's, in the order of their RCPT commands."""
        return self.envelope.recipients

    @property
    def caught_at(self) -> dt.datetime:
        return self.envelope.caught_at

    @cached_property
    def size(self) -> int:
        """Bytes of the letter as it came."""
        return self.path.stat().st_size - self.envelope.length

    @property
    def raw(self) -> bytes:
        """The letter as it came, byte for byte."""
        with self.path.open("rb") as file:
            file.seek(self.envelope.length)
            return file.read()

    @cached_property
    def subject(self) -> str:
        """Decoded; empty if there is none."""
        with self.path.open("rb") as file:
            file.seek(self.envelope.length)
            head = email.message_from_bytes(file.read(HEAD_BYTES))
        return next((value for name, value in headers(head) if name.lower() == "subject"), "")

    @property
    def message(self) -> EmailMessage:
        """Parsed as the standard library likes it, for tests. May raise if it is broken."""
        return email.parser.BytesParser(EmailMessage, policy=email.policy.default).parsebytes(
            self.raw
        )

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, decoded where that can be done."""
        return headers(email.message_from_bytes(self.raw))

    @property
    def contents(self) -> Contents:
        """The parts that can be read; empty rather than an error for a broken letter."""
        try:
            return _contents(email.message_from_bytes(self.raw))
        except Exception:
            # Whatever the parser stumbled over, the raw letter is still there to be looked at.
            return Contents()


class LetterBox:
    """A Maildir: written under tmp/, on disk, and only then moved to new/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, Letter] = {}
        self._lock = threading.Lock()
        self._last_moment = 0

    def prepare(self) -> None:
        """Makes the folders and tries them. Raises BadFolder."""
        try:
            self._make_folders()
            trial = self.folder / "tmp" / f"trial.{os.getpid()}"
            _write_durably(trial, b"")
            trial.unlink()
        except OSError as error:
            raise BadFolder(
                f"Letters cannot be kept in {self.folder}: {error.strerror or error}. "
                "Make it a folder that you may write to, or give another with --directory."
            ) from None

    def put(self, sender: str, recipients: list[str], content: bytes, now: dt.datetime) -> Letter:
        """Keeps a letter; when this returns it survives a loss of power. Raises OSError."""
        self._make_folders()
        name = self._new_name()
        temporary, final = self.folder / "tmp" / name, self.folder / "new" / name
        try:
            _write_durably(temporary, _envelope_lines(sender, recipients, now) + content)
            temporary.rename(final)
            _sync_folder(final.parent)
        except OSError:
            temporary.unlink(missing_ok=True)
            final.unlink(missing_ok=True)
            raise
        return Letter(final)

    def letters(self) -> list[Letter]:
        """All of them, oldest first. Read off the disk each time: anyone may clear it."""
        paths = sorted(self._files(), key=lambda path: path.name)
        with self._lock:
            self._known = {path: self._known.get(path) or Letter(path) for path in paths}
            return list(self._known.values())

    def get(self, name: str) -> Letter | None:
        """One letter. The name is looked up among those there, never made into a path."""
        return next((letter for letter in self.letters() if letter.name == name), None)

    def _files(self) -> Iterator[Path]:
        # A mail program that looks into the box moves what it has seen to cur/.
        for part in ("new", "cur"):
            try:
                yield from (self.folder / part).iterdir()
            except FileNotFoundError:
                continue

    def _new_name(self) -> str:
        """Unique, and sorted by the moment it was made."""
        with self._lock:
            self._last_moment = max(time.time_ns(), self._last_moment + 1)
            return f"{self._last_moment:020d}.{os.getpid()}.{secrets.token_hex(4)}"

    def _make_folders(self) -> None:
        # Readable by the owner only: letters carry addresses and links that work.
        for folder in (self.folder, *(self.folder / part for part in ("tmp", "new", "cur"))):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _sync_folder(folder.parent)


def unmarked(name: str) -> str:
    """A file's name without the flags that mail programs append to it."""
    return name.partition(":")[0]


def headers(message: Message) -> list[tuple[str, str]]:
    """Names and decoded values, in their order."""
    return [(name, _decoded(str(value))) for name, value in message.raw_items()]


def _decoded(value: str) -> str:
    # The parser keeps 8-bit bytes as lone surrogates.
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    plain = LINE_ENDS.sub("", plain)
    try:
        return str(email.header.make_header(email.header.decode_header(plain)))
    except (ValueError, LookupError, email.errors.MessageError):
        return plain


def _contents(message: Message) -> Contents:
    html = text = ""
    images: dict[str, tuple[str, bytes]] = {}
    attachments: list[str] = []
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or kind.startswith("multipart/"):
            continue
        attached = part.get_content_disposition() == "attachment"
        if kind == "text/html" and not attached and not html:
            html = _text_of(part)
        elif kind == "text/plain" and not attached and not text:
            text = _text_of(part)
        elif kind.startswith("image/") and part["Content-ID"]:
            images[str(part["Content-ID"]).strip(" <>")] = (kind, _bytes_of(part))
        else:
            name = _decoded(part.get_filename() or kind)
            attachments.append(f"{name} ({len(_bytes_of(part))} bytes)")
    return Contents(html, text, images, tuple(attachments))


def _bytes_of(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message) -> str:
    try:
        return _bytes_of(part).decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return _bytes_of(part).decode("utf-8", "replace")


def _envelope_lines(sender: str, recipients: list[str], now: dt.datetime) -> bytes:
    # The moment comes last: it ends our lines, whatever headers the letter begins with.
    lines = [SENDER + _one_line(sender)]
    lines += [RECIPIENT + _one_line(recipient) for recipient in recipients]
    lines.append(CAUGHT + now.isoformat().encode())
    return b"".join(line + b"\r\n" for line in lines)


def _one_line(address: str) -> bytes:
    return address.encode("utf-8", "surrogateescape").translate(None, b"\r\n")


def _readable(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("utf-8", "replace")


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a new name in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
