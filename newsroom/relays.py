"""A relay's address, as one line of the environment: RELAY_URL=smtp+starttls://user:pass@host:587."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Relay:
    """An SMTP server that we hand letters to."""

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def parse(cls, url: str) -> Relay:
        """Raises ImproperlyConfigured without repeating the password."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
            host = parts.hostname or ""
        except (ValueError, KeyError):
            host = ""
        if not host:
            raise ImproperlyConfigured(
                "RELAY_URL is not a relay's address. Write smtp://host:25 (plain), "
                "smtp+starttls://user:password@host:587 or smtps://user:password@host:465."
            )
        return cls(
            parts.scheme, host, port, unquote(parts.username or ""), unquote(parts.password or "")
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
