"""Runs the tests that use a database, or those that `-m` selects, on a new PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.services import MIGRATED_DATABASE, ServiceNotInstalled, running_postgresql

TEMPLATE = "TEST_DATABASE_TEMPLATE"
"""The variable that names the template database for tests/conftest.py."""
NO_TESTS_COLLECTED = 5
"""pytest's exit status if no test was collected."""


def main() -> int:
    """pytest's exit status; without PostgreSQL 0, or 1 if REQUIRE_SERVICES is set."""
    try:
        with running_postgresql() as postgresql:
            print("On PostgreSQL:", flush=True)
            command = [sys.executable, "-m", "pytest", "-m", "django_db", *sys.argv[1:]]
            environment = {
                **os.environ,
                "DATABASE_URL": postgresql.url(),
                TEMPLATE: MIGRATED_DATABASE,
            }
            code = subprocess.run(command, env=environment).returncode
            return 0 if code == NO_TESTS_COLLECTED and names_a_path(sys.argv[1:]) else code
    except ServiceNotInstalled as missing:
        print(f"Not run on PostgreSQL: {missing}")
        return 1 if os.environ.get("REQUIRE_SERVICES") else 0


def names_a_path(arguments: list[str]) -> bool:
    """Without a path all tests are selected, some of which use a database."""
    return any(Path(argument.partition("::")[0]).exists() for argument in arguments)


if __name__ == "__main__":
    sys.exit(main())
