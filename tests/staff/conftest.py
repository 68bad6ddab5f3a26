"""One moment for all: codes are of their half minute, and no test is about waiting."""

from collections.abc import Iterator

import pytest
import time_machine

from tests.factories import MONDAY_MORNING


@pytest.fixture(autouse=True)
def clock(request: pytest.FixtureRequest) -> Iterator[time_machine.Traveller | None]:
    """Stands still, and a test may move it; a real browser needs a real one."""
    if request.node.get_closest_marker("real_clock"):
        yield None
        return
    with time_machine.travel(MONDAY_MORNING, tick=False) as clock:
        yield clock
