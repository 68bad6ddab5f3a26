#!/usr/bin/env python
"""Django's command line. What an administrator can mend ends it with one line, not a traceback."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from newsroom import startup_checks


def main() -> None:
    """The entry."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    try:
        with startup_checks.or_say_why():
            execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        what = " ".join(str(error).split())
        sys.exit(f"The database (DATABASE_URL) does not answer as it should: {what}")


if __name__ == "__main__":
    main()
