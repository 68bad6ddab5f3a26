"""The list in clear."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core import files
from keys.sealing import KeyMissing, SealBroken
from newsletter.models import Edition
from newsletter.privacy.export import NoReason, export


class Command(BaseCommand):
    """Only where the private key is; there is no such page in the admin."""

    help = "Writes the active readers as CSV. Who wanted it and why is written down first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a file that is not there yet; - is standard output")
        parser.add_argument("--reason", required=True, help="a sentence for the audit")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who asked for it")
        parser.add_argument("--edition", metavar="CODE", help="of this edition alone")

    def handle(self, *args: Any, **options: Any) -> None:
        by = get_user_model()._default_manager.filter(username=options["by"]).first()
        if by is None:
            raise CommandError(f"There is no user {options['by']}.")
        edition = Edition.objects.filter(code=options["edition"]).first()
        if options["edition"] and edition is None:
            raise CommandError(f"There is no edition {options['edition']}.")
        more = {"edition": edition, "reason": options["reason"], "by": by, "now": timezone.now()}
        try:
            if options["file"] == "-":
                export(sys.stdout, **more)
                return
            with files.new_file(Path(options["file"]), "utf-8") as file:
                count = export(file, **more)
        except (NoReason, KeyMissing, SealBroken) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from None
        self.stdout.write(f"{count} readers. Shred the file once it has done its service.")
