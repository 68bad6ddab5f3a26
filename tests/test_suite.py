"""What the suite promises of itself: which databases and which settings it runs with."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests import settings as quick

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DIFFERS = re.compile(
    r"\bIntegrityError\b|\.cursor\(|\bconnection\.vendor\b|select_for_update"
    r"|\bCheckConstraint\b|\bUniqueConstraint\b"
)
"""What a test says that is about the database itself."""


def test_tests_have_settings_of_their_own_and_what_they_start_has_a_newsrooms() -> None:
    assert settings.PASSWORD_HASHERS == quick.PASSWORD_HASHERS
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "newsroom.settings"


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_test_for_both_databases_runs_on_the_one_that_was_asked_for() -> None:
    asked = os.environ.get("DATABASE_URL", "sqlite").partition(":")[0]
    assert connection.vendor == {"sqlite": "sqlite", "postgres": "postgresql"}[asked]


def test_whatever_speaks_of_the_database_itself_runs_on_both() -> None:
    said = {
        str(path.relative_to(TESTS)): path.read_text()
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
    }
    unmarked = {
        name
        for name, text in said.items()
        if "mark.django_db" in text and DIFFERS.search(text) and "both_databases" not in text
    }
    assert unmarked == set()


def test_every_change_has_to_pass_every_test_on_both_databases() -> None:
    """`make test` leaves some out; nothing leaves one out for good."""
    assert "REQUIRE_SERVICES=1 make test-all\n" in (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    [everything] = re.findall(r"^test-all:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert "test-sqlite test-postgresql TIER= PICKED=django_db" in everything
    [options] = re.findall(r"^PYTEST_OPTIONS := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert not re.search(r"-m\b|-k\b|--ignore|--deselect", options)
    # Or each process would start a module's servers for itself.
    assert "--dist loadfile" in options
