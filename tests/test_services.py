"""tests.services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services import (
    DEBIAN_PACKAGES,
    ServiceNotInstalled,
    program,
    skip_or_fail,
)

ROOT = Path(__file__).resolve().parents[1]


def test_a_missing_program_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ServiceNotInstalled, match="no-such-server is not installed: make services"
    ) as caught:
        program("no-such-server")
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make services"):
        skip_or_fail(caught.value)


def test_where_services_are_required_a_missing_one_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="make services"):
        skip_or_fail(ServiceNotInstalled("it is not installed: make services"))


def test_make_services_installs_every_program_that_a_test_asks_for() -> None:
    [line] = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("SERVICES")
    ]
    assert set(DEBIAN_PACKAGES.values()) <= set(line.split())
