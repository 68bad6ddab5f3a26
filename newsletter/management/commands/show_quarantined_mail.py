"""Shows a mail that was set aside, where the worker's key is."""

from __future__ import annotations

import re
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from keys.sealing import KeyMissing, SealBroken
from newsletter.bounces.apply import open_set_aside
from newsletter.models import SetAsideMail
from staff.audit import record
from staff.models import AuditAction

# Control characters but the tab and the line's end, and those that turn the writing around.
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Command(BaseCommand):
    """To a terminal. It may quote a reader's address."""

    help = "Prints one mail that was set aside; that it was shown is written down."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="as the admin lists it")

    def handle(self, *args: Any, **options: Any) -> None:
        mail = SetAsideMail.objects.filter(pk=options["id"]).first()
        if mail is None:
            raise CommandError(f"No mail {options['id']} was set aside.")
        try:
            content = open_set_aside(mail)
        except (KeyMissing, SealBroken) as error:
            raise CommandError(str(error)) from None
        record(AuditAction.OPENED, mail, by=None, now=timezone.now())
        self.stdout.write(harmless(content))


def harmless(content: bytes) -> str:
    """As text without what moves a terminal's cursor, changes its colours or types into it."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    return UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
