"""Destroys the keys that open the list. For an emergency such as a raid."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from keys.destruction import destroy_files, find_key_files
from newsletter.privacy import reencryption

PHRASE = "destroy the list"


class Command(BaseCommand):
    """First the keys, whatever else fails; then the sealed addresses."""

    help = (
        "Destroys the keys and erases every sealed address. Only a printed key backup and a copy "
        f"of the database bring the list back. Asks for the words “{PHRASE}”, or takes them "
        "with --yes."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", default="", metavar="WORDS", help=f'"{PHRASE}"')

    def handle(self, *args: Any, **options: Any) -> None:
        answer = options["yes"] or self.prompt()
        if answer.strip().lower() != PHRASE:
            raise CommandError("Nothing was destroyed.")
        remaining = self.destroy_keys()
        self.stdout.write(
            "Stop the workers now: until they end, a running one may hold a key in its memory. "
            "Disks and backups may hold older bytes: see docs/keys.md.\n"
            "Erasing the sealed addresses. If that takes long, leave it: without the keys they "
            "open for nobody."
        )
        self.erase_addresses()
        if remaining:
            raise CommandError("Not destroyed: " + ", ".join(map(str, remaining)))

    def prompt(self) -> str:
        try:
            return input(f"Nobody can undo this. Type “{PHRASE}”: ")
        except EOFError:
            return ""

    def destroy_keys(self) -> list[Any]:
        configured = [settings.WORKER_KEY_FILE, settings.LINKS_KEY_FILE, settings.INTAKE_KEY_FILE]
        files = [path for path in configured if path is not None]
        paths = find_key_files([settings.KEYS_DIR, *files, *(path.parent for path in files)])
        remaining = destroy_files(paths)
        for path in paths:
            if path not in remaining:
                self.stdout.write(f"Destroyed {path}")
        return remaining

    def erase_addresses(self) -> None:
        """Defence in depth: without the keys they open for nobody."""
        remaining = list(reencryption.erase_sealed_data())
        if remaining:
            self.stderr.write(f"Not erased: {', '.join(remaining)}.")
        else:
            self.stdout.write("Erased every sealed address.")
