"""Opens the kind of connection that a relay's URL asks for."""

from __future__ import annotations

from django.conf import settings

from newsletter.delivery.backends import BackendConnection
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.smtp.client import Connection


def connect(relay: Relay) -> Connection | BackendConnection:
    """Raises ConnectionLost or RelayRefuses."""
    if relay.is_backend:
        return BackendConnection(relay)
    return Connection(relay, settings.RELAY_TIMEOUT)
