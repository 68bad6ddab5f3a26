#!/usr/bin/env python
"""Django's command line. Configuration errors are one line, not a traceback."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from newsroom import startup_checks


def main() -> None:
    """Runs a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    try:
        with startup_checks.exit_on_startup_error():
            execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        message = " ".join(str(error).split())
        sys.exit(f"The database (DATABASE_URL) does not answer as it should: {message}")


if __name__ == "__main__":
    main()
