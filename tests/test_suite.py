"""The suite's databases and settings, and limits on the size of the code."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from newsroom.catalogues.files import APPS
from tests import settings as quick

MAX_CORE_MODULES, MAX_MODULE_LINES = 10, 400
TESTS = Path(__file__).parent
ROOT = TESTS.parent
DIFFERS = re.compile(
    r"\bIntegrityError\b|\.cursor\(|\bconnection\.vendor\b|select_for_update"
    r"|\bCheckConstraint\b|\bUniqueConstraint\b"
)
"""Found in tests that depend on the database."""


def test_tests_have_their_own_settings_and_started_processes_the_real_ones() -> None:
    assert settings.PASSWORD_HASHERS == quick.PASSWORD_HASHERS
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "newsroom.settings"


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_test_for_both_databases_runs_on_the_one_that_was_asked_for() -> None:
    asked = os.environ.get("DATABASE_URL", "sqlite").partition(":")[0]
    assert connection.vendor == {"sqlite": "sqlite", "postgres": "postgresql"}[asked]


def test_database_specific_tests_run_on_both_databases() -> None:
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


def modules(package: str) -> dict[str, str]:
    """The source of each module of a package, by its path."""
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
    }


def test_core_stays_small() -> None:
    assert len(modules("core").keys() - {"core/__init__.py"}) <= MAX_CORE_MODULES


def test_no_module_is_too_long_to_be_read() -> None:
    lengths = {
        name: len(source.splitlines()) for app in APPS for name, source in modules(app).items()
    }
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES} == {}


def test_no_import_stands_within_a_function() -> None:
    """Ruff's rule PLC0415; AppConfig.ready() alone needs models that are not loaded before."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "PLC0415" in lint["select"]
    assert "PLC0415" not in lint["ignore"]
    allowed = {paths for paths, rules in lint["per-file-ignores"].items() if "PLC0415" in rules}
    assert allowed == {"*/apps.py"}
    silenced = {
        name for app in APPS for name, source in modules(app).items() if "PLC0415" in source
    }
    assert silenced == set()
