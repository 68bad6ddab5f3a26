"""Received letters: their folder, and lenient parsing."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import os
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path

SENDER, RECIPIENT, CAUGHT = b"X-Envelope-From: ", b"X-Envelope-To: ", b"X-Caught-At: "


@dataclass(frozen=True)
class Envelope:
    """The SMTP envelope (RFC 5321)."""

    sender: str
    recipients: tuple[str, ...]
    caught_at: dt.datetime


@dataclass(frozen=True)
class Contents:
    """The HTML and text parts; empty if missing or malformed."""

    html: str
    text: str


class Letter:
    """One received letter, in a file that never changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem

    @cached_property
    def _read(self) -> tuple[Envelope, bytes]:
        """Parses the envelope's lines, which precede the letter; the time is the last."""
        head, _mark, rest = self.path.read_bytes().partition(CAUGHT)
        moment, _end, raw = rest.partition(b"\r\n")
        lines = head.splitlines()
        sender, *recipients = (
            line.partition(b": ")[2].decode("utf-8", "replace") for line in lines
        )
        return (
            Envelope(sender, tuple(recipients), dt.datetime.fromisoformat(moment.decode())),
            raw,
        )

    @property
    def envelope(self) -> Envelope:
        return self._read[0]

    @property
    def sender(self) -> str:
        """MAIL FROM."""
        return self.envelope.sender

    @property
    def recipients(self) -> tuple[str, ...]:
        """RCPT TO, in order."""
        return self.envelope.recipients

    @property
    def raw(self) -> bytes:
        """The message as received."""
        return self._read[1]

    @property
    def message(self) -> EmailMessage:
        """Parsed; access to a malformed header may raise."""
        return email.message_from_bytes(self.raw, EmailMessage, policy=email.policy.default)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All headers, decoded."""
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def subject(self) -> str:
        """Decoded; empty if there is none."""
        try:
            return str(self.message["Subject"] or "")
        except Exception:
            return ""

    @property
    def contents(self) -> Contents:
        return Contents(self._part("html"), self._part("plain"))

    def _part(self, kind: str) -> str:
        try:
            part = self.message.get_body((kind,))
            return str(part.get_content()) if part else ""
        except Exception:
            # The page shows the source of a malformed letter.
            return ""


class LetterBox:
    """A folder of letters, written atomically."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._last_time_ns = 0

    def make_folder(self) -> None:
        """Readable by the owner only. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, sender: str, recipients: list[str], content: bytes, now: dt.datetime) -> None:
        """Stores a letter. Raises OSError."""
        lines = [SENDER + _bytes_of(sender), *(RECIPIENT + _bytes_of(one) for one in recipients)]
        lines += [CAUGHT + now.isoformat().encode(), content]
        with self._lock:
            # Strictly increasing, also if the clock is not.
            self._last_time_ns = max(time.time_ns(), self._last_time_ns + 1)
            name = f"{self._last_time_ns:020d}-{os.getpid()}"
        temporary = self.folder / f"{name}.tmp"
        try:
            self.make_folder()
            temporary.write_bytes(b"\r\n".join(lines))
            temporary.chmod(0o600)
            temporary.rename(temporary.with_suffix(".eml"))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def letters(self) -> list[Letter]:
        """All letters, oldest first, from the disk."""
        return [Letter(path) for path in sorted(self.folder.glob("*.eml"))]

    def get(self, name: str) -> Letter | None:
        """One letter. The name is never used as a path."""
        return next((letter for letter in self.letters() if letter.name == name), None)


def _bytes_of(address: str) -> bytes:
    return address.encode("utf-8", "surrogateescape").translate(None, b"\r\n")
