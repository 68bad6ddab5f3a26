"""A relay's address, as one line of the environment: RELAY_URL=smtp+starttls://user:pass@host:587."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
BACKEND = "backend"
"""The scheme of a Django mail backend: backend:anymail.backends.mailgun.EmailBackend."""


@dataclass(frozen=True)
class Relay:
    """An SMTP server that we hand letters to, or a mail backend of Django's: its path is `host`."""

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def parse(cls, url: str) -> Relay:
        """Raises ImproperlyConfigured without repeating the password."""
        if url.startswith(f"{BACKEND}:"):
            return cls._backend(url.partition(":")[2])
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
            host = parts.hostname or ""
        except (ValueError, KeyError):
            host = ""
        if not host:
            raise ImproperlyConfigured(
                "RELAY_URL is not a relay's address. Write smtp://host:25 (plain), "
                "smtp+starttls://user:password@host:587, smtps://user:password@host:465, or "
                "backend: and the path of a mail backend of Django's."
            )
        return cls(
            parts.scheme, host, port, unquote(parts.username or ""), unquote(parts.password or "")
        )

    @classmethod
    def _backend(cls, path: str) -> Relay:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", path):
            raise ImproperlyConfigured(
                "RELAY_URL names no mail backend of Django's. Write the path of its class, such as "
                "backend:anymail.backends.mailgun.EmailBackend."
            )
        return cls(BACKEND, path, 0, "", "")

    @property
    def is_backend(self) -> bool:
        """A Django mail backend, which is not spoken to by SMTP."""
        return self.scheme == BACKEND

    def __str__(self) -> str:
        if self.is_backend:
            return self.host.removesuffix(".EmailBackend").rpartition(".")[2]
        return f"{self.host}:{self.port}"
