"""Shows a quarantined mail, where the worker's key is."""

from __future__ import annotations

import re
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from keys.sealing import DecryptionError, KeyNotFound
from newsletter.bounces.apply import open_quarantined
from newsletter.models import QuarantinedMail
from staff.audit import record
from staff.models import AuditAction

# Control characters except tab and line feed, and bidirectional formatting characters.
CONTROL_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Command(BaseCommand):
    """On a terminal. The mail may quote a subscriber's address."""

    help = "Prints one quarantined mail; this is audited."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="the id that the admin shows")

    def handle(self, *args: Any, **options: Any) -> None:
        mail = QuarantinedMail.objects.filter(pk=options["id"]).first()
        if mail is None:
            raise CommandError(f"There is no quarantined mail {options['id']}.")
        try:
            content = open_quarantined(mail)
        except (KeyNotFound, DecryptionError) as error:
            raise CommandError(str(error)) from None
        record(AuditAction.OPENED, mail, by=None, now=timezone.now())
        self.stdout.write(without_control_characters(content))


def without_control_characters(content: bytes) -> str:
    """As text without escape sequences, which could control the terminal."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    return CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)
