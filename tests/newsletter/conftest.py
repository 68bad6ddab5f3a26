"""A real SMTP server for whoever sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from newsroom.mailcatcher.catcher import Catcher
from newsroom.relays import Relay
from tests.newsletter.relays import Moody


@pytest.fixture
def relay(tmp_path: Path, settings: Settings) -> Iterator[Catcher]:
    """Takes every letter, unless its `moods` say otherwise."""
    with Catcher(tmp_path / "caught", handler=Moody) as catcher:
        settings.RELAY = Relay.parse(f"smtp://127.0.0.1:{catcher.smtp_port}")
        settings.RELAY_TIMEOUT = 5
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.smtp_port
        Moody.moods.clear()
        yield catcher
