"""The one place that knows by what kind of connection a relay is spoken to."""

from __future__ import annotations

from django.conf import settings

from newsletter.sending.backends import BackendConnection
from newsletter.sending.smtp import Connection
from newsroom.relays import Relay


def connect(relay: Relay) -> Connection | BackendConnection:
    """Raises ConnectionLost or RelayRefuses."""
    if relay.is_backend:
        return BackendConnection(relay)
    return Connection(relay, settings.RELAY_TIMEOUT)


def most_connections(relay: Relay) -> int:
    """How many a lane may have at once: a backend sends one letter after the other."""
    return 1 if relay.is_backend else settings.CONNECTIONS
