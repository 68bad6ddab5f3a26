"""Runs the tests that use a database, or those that `-m` names, on a PostgreSQL of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.services import MIGRATED, Missing, running_postgresql

TEMPLATE = "TEST_DATABASE_TEMPLATE"
"""The variable that tells tests/conftest.py which database to copy."""
NOTHING_TO_RUN = 5
"""What pytest answers when none of the tests it was given uses a database."""


def main() -> int:
    """The exit code of pytest; without PostgreSQL 0, or 1 where services are required."""
    try:
        with running_postgresql() as postgresql:
            print("On PostgreSQL:", flush=True)
            command = [sys.executable, "-m", "pytest", "-m", "django_db", *sys.argv[1:]]
            environment = {**os.environ, "DATABASE_URL": postgresql.url(), TEMPLATE: MIGRATED}
            code = subprocess.run(command, env=environment).returncode
            return 0 if code == NOTHING_TO_RUN and names_a_path(sys.argv[1:]) else code
    except Missing as missing:
        print(f"Not run on PostgreSQL: {missing}")
        return 1 if os.environ.get("REQUIRE_SERVICES") else 0


def names_a_path(arguments: list[str]) -> bool:
    """Otherwise all tests were asked for, and some of them use a database."""
    return any(Path(argument.partition("::")[0]).exists() for argument in arguments)


if __name__ == "__main__":
    sys.exit(main())
