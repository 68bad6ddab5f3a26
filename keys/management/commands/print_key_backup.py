"""The paper backup of the keys."""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from keys import paper_backup, sealing
from keys.sealing import KeyNotFound

HEAD = """\
THE NEWSROOM'S KEYS, printed on {today:%d %B %Y}

Whoever has this page and any copy of the database can read the list. Keep it where neither is:
in other hands, in another country, never photographed. Destroy pages of before a rotation.

W is worker.key, each generation by its number; H are the keys of the address's hash, in the same
file, of every generation that there ever was; L is links.key. What intake.pub holds follows from W.

To restore: type the lines below into a file in memory (/dev/shm) and run
manage.py restore_keys FILE. Each line has a check of its own, so a typing error is named.
The letters I, L and O do not occur: what looks like them is 1, 1 and 0.
"""


class Command(BaseCommand):
    """Writes to a terminal or a pipe; a file would be one more copy to lose."""

    help = "Prints the keys as lines that can be typed in again. For paper: `… | lp`."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--into-a-file", action="store_true", help="allow standard output to be a file"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        is_file = (
            stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode) if _has_descriptor() else False
        )
        if is_file and not options["into_a_file"]:
            raise CommandError(
                "Standard output is a file, which would keep the keys. Pipe it to a printer, or "
                "write --into-a-file if the file is in memory (/dev/shm)."
            )
        try:
            keys, links = sealing.worker_keys(), sealing.links_key()
        except KeyNotFound as error:
            raise CommandError(str(error)) from None
        self.stdout.write(HEAD.format(today=timezone.now()))
        for line in paper_backup.to_lines(
            paper_backup.BackupKeys(keys.secrets, keys.hash_keys, links)
        ):
            self.stdout.write(line)
        self.stdout.write(f"\nFor {settings.SITE_URL}")


def _has_descriptor() -> bool:
    try:
        return sys.stdout.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False
