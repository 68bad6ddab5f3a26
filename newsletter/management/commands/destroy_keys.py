"""Destroys what opens the list. For the night on which somebody is at the door."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from keys.destruction import key_files, shred
from newsletter.privacy import reencryption

PHRASE = "destroy the list"


class Command(BaseCommand):
    """First the keys, whatever else is broken; then what they sealed."""

    help = (
        "Destroys the keys and blanks every sealed address. Nothing brings the list back but a "
        f"printed page with a copy of the database. Asks for the words “{PHRASE}”, or takes them "
        "with --yes."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", default="", metavar="WORDS", help=f'"{PHRASE}"')

    def handle(self, *args: Any, **options: Any) -> None:
        said = options["yes"] or self.ask()
        if said.strip().lower() != PHRASE:
            raise CommandError("Nothing was destroyed.")
        left = self.destroy_keys()
        self.stdout.write(
            "Stop the workers now: until they end, a running one may hold a key in its memory. "
            "Disks and backups may hold older bytes: docs/keys.md says what that means.\n"
            "Blanking the rows. If that takes long, leave it: without the keys they open for "
            "nobody."
        )
        self.blank_the_rows()
        if left:
            raise CommandError("Not destroyed: " + ", ".join(map(str, left)))

    def ask(self) -> str:
        try:
            return input(f"Nobody can undo this. Type “{PHRASE}”: ")
        except EOFError:
            return ""

    def destroy_keys(self) -> list[Any]:
        named = [settings.WORKER_KEY_FILE, settings.LINKS_KEY_FILE, settings.INTAKE_KEY_FILE]
        places = [settings.KEYS_DIR, *(path for path in named if path is not None)]
        folders = [path.parent for path in named if path is not None]
        paths = key_files([*places, *folders])
        left = shred(paths)
        for path in paths:
            if path not in left:
                self.stdout.write(f"Destroyed {path}")
        return left

    def blank_the_rows(self) -> None:
        """Worthless without the keys already; so that less is left on the disk."""
        left = list(reencryption.blank())
        if left:
            self.stderr.write(f"Not blanked: {', '.join(left)}.")
        else:
            self.stdout.write("Blanked every sealed address.")
