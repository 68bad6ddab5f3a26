"""Exports the list in clear."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core import files
from keys.sealing import DecryptionError, KeyNotFound
from newsletter.models import Edition
from newsletter.privacy.export import ReasonRequired, export_subscribers


class Command(BaseCommand):
    """Only where the worker's key is; the admin has no such page."""

    help = "Writes the active subscribers as CSV. Who requested it and why is audited first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a new file; - is standard output")
        parser.add_argument("--reason", required=True, help="a sentence for the audit")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who requested it")
        parser.add_argument("--edition", metavar="CODE", help="of this edition alone")

    def handle(self, *args: Any, **options: Any) -> None:
        by = get_user_model()._default_manager.filter(username=options["by"]).first()
        if by is None:
            raise CommandError(f"There is no user {options['by']}.")
        edition = Edition.objects.filter(code=options["edition"]).first()
        if options["edition"] and edition is None:
            raise CommandError(f"There is no edition {options['edition']}.")
        kwargs = {"edition": edition, "reason": options["reason"], "by": by, "now": timezone.now()}
        try:
            if options["file"] == "-":
                export_subscribers(sys.stdout, **kwargs)
                return
            with files.atomic_create(Path(options["file"]), "utf-8") as file:
                count = export_subscribers(file, **kwargs)
        except (ReasonRequired, KeyNotFound, DecryptionError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from None
        self.stdout.write(f"{count} subscribers. Shred the file when you no longer need it.")
