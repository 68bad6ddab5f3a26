"""Bad relays to send to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from newsletter.delivery.smtp import client
from tests.newsletter.bad_relays import BadRelay, CorrectRelay, running

Against = Callable[..., BadRelay]


@pytest.fixture
def against(settings: Settings) -> Iterator[Against]:
    """Starts a relay of the given class and puts it into RELAYS."""
    client._cannot_pipeline.clear()
    with ExitStack() as stack:

        def start(kind: type[CorrectRelay], *, log_in: str = "", **about: Any) -> BadRelay:
            server = stack.enter_context(running(BadRelay(kind, **about)))
            settings.RELAYS = (server.relay(log_in),)
            settings.RELAY_TIMEOUT = 5
            return server

        yield start
    client._cannot_pipeline.clear()
