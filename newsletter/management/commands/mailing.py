"""A mailing's verbs, as the admin has them."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.states import InvalidTransition
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import Mailing, MailingStatus
from newsletter.stats import counts as tallying
from newsletter.stats import report as reporting
from newsletter.tasks import enqueue_lanes

NEWEST = 20


class Command(BaseCommand):
    """list, or launch, pause, resume, cancel and report one mailing by its id."""

    help = (
        "Lists the newest mailings, or launches, pauses, resumes, cancels or reports one, or sends "
        "its letter once more to those of whom nobody knows whether they have it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "verb",
            choices=["list", "launch", "pause", "resume", "send-again", "cancel", "report"],
        )
        parser.add_argument("id", type=int, nargs="?")
        parser.add_argument(
            "--json", action="store_true", help="the report as JSON, as docs/sending.md says"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"] and options["verb"] != "report":
            raise CommandError("Only a report comes as JSON: manage.py mailing report ID --json")
        if options["verb"] == "list":
            for mailing in Mailing.objects.select_related("digest", "edition")[:NEWEST]:
                self.line(mailing)
            return
        if options["id"] is None:
            raise CommandError("Which mailing? `manage.py mailing list` shows their ids.")
        found = Mailing.objects.select_related("digest", "edition").filter(pk=options["id"])
        chosen = found.first()
        if chosen is None:
            raise CommandError(f"There is no mailing {options['id']}.")
        if options["verb"] == "report":
            self.report(chosen, as_json=options["json"])
            return
        try:
            getattr(self, options["verb"].replace("-", "_"))(chosen)
        except InvalidTransition as error:
            raise CommandError(str(error)) from None
        self.line(chosen)

    def launch(self, mailing: Mailing) -> None:
        mailings.launch(mailing, timezone.now())
        enqueue_lanes(mailing)

    def pause(self, mailing: Mailing) -> None:
        mailings.pause(mailing, timezone.now())

    def resume(self, mailing: Mailing) -> None:
        mailings.resume(mailing, timezone.now())
        enqueue_lanes(mailing)

    def send_again(self, mailing: Mailing) -> None:
        mailings.send_again(mailing, timezone.now())
        mailing.refresh_from_db()
        enqueue_lanes(mailing)

    def cancel(self, mailing: Mailing) -> None:
        mailings.cancel(mailing, timezone.now())

    def report(self, mailing: Mailing, *, as_json: bool) -> None:
        """What became of it, in numbers alone."""
        tally = tallying.count(mailing, timezone.now)
        minutes = tallying.count_minutes(mailing, timezone.now)
        report = reporting.report(mailing, tally, minutes)
        if as_json:
            self.stdout.write(json.dumps(reporting.as_data(report), indent=2))
            return
        self.line(mailing)
        for line in reporting.as_lines(report):
            self.stdout.write(line)

    def line(self, mailing: Mailing) -> None:
        counts = mailings.ledger(mailing)
        status = str(mailing.get_status_display())
        if mailing.status == MailingStatus.PAUSED and mailing.pause_reason:
            status += f" ({mailing.pause_reason})"
        self.stdout.write(
            f"{mailing.pk}: {mailing}, {status}; audience "
            f"{counts.audience}, sent {counts.sent}, failed {counts.failed}, excluded "
            f"{counts.excluded}, uncertain {counts.uncertain}, to send {counts.still_to_send}"
        )
