"""Keeps the catalogues of translations.

python -m newsroom.catalogues update   brings locale/ up to date with the code
python -m newsroom.catalogues check    fails on a string that is missing or out of date
python -m newsroom.catalogues compile  writes the .mo files that Django reads
"""

import os
import sys

from newsroom.catalogues import files

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")


def main() -> int:
    """The exit status: 1 if anything is wrong."""
    verbs = {"update": files.update, "check": files.check, "compile": files.compile_all}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    faults = verbs[sys.argv[1]]()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
