"""The bounce mailbox, from BOUNCE_IMAP_URL=imaps://user:password@host/INBOX."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"imap": 143, "imaps": 993}


@dataclass(frozen=True)
class Mailbox:
    """A folder on an IMAP server."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str

    @classmethod
    def parse(cls, url: str) -> Mailbox:
        """Raises ImproperlyConfigured without repeating the password."""
        try:
            parts = urlsplit(url)
            port, host = parts.port or PORTS[parts.scheme], parts.hostname
        except (ValueError, KeyError):
            host = None
        if not host or not parts.username:
            raise ImproperlyConfigured(
                "BOUNCE_IMAP_URL is not a mailbox's address. Write "
                "imaps://user:password@host/INBOX."
            )
        user, password = unquote(parts.username), unquote(parts.password or "")
        folder = unquote(parts.path.strip("/")) or "INBOX"
        return cls(parts.scheme, host, port, user, password, folder)

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "imaps"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.folder}"
