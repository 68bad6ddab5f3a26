"""Maintains the message catalogues.

python -m newsroom.catalogues update   updates locale/ from the code
python -m newsroom.catalogues check    fails on missing or outdated translations
python -m newsroom.catalogues compile  writes the .mo files that Django reads
"""

import os
import sys

from newsroom.catalogues import files

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")


def main() -> int:
    """The exit status: 1 on errors."""
    commands = {"update": files.update, "check": files.check, "compile": files.compile_all}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    errors = commands[sys.argv[1]]()
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
