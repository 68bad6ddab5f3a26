"""Actions on a mailing, as in the admin."""

from __future__ import annotations

import json
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from core.states import InvalidTransition
from newsletter.campaigns import lifecycle
from newsletter.models import Mailing, MailingStatus
from newsletter.stats import counts, report
from newsletter.tasks import enqueue_lanes

MAX_LISTED = 20


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
            "--json", action="store_true", help="the report as JSON, as docs/delivery.md says"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"] and options["verb"] != "report":
            raise CommandError("Only a report comes as JSON: manage.py mailing report ID --json")
        if options["verb"] == "list":
            for mailing in Mailing.objects.select_related("digest", "edition")[:MAX_LISTED]:
                self.write_line(mailing)
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
        self.write_line(chosen)

    def launch(self, mailing: Mailing) -> None:
        lifecycle.launch(mailing, timezone.now())
        enqueue_lanes(mailing)

    def pause(self, mailing: Mailing) -> None:
        lifecycle.pause(mailing, timezone.now())

    def resume(self, mailing: Mailing) -> None:
        lifecycle.resume(mailing, timezone.now())
        enqueue_lanes(mailing)

    def send_again(self, mailing: Mailing) -> None:
        lifecycle.resend_uncertain(mailing, timezone.now())
        mailing.refresh_from_db()
        enqueue_lanes(mailing)

    def cancel(self, mailing: Mailing) -> None:
        lifecycle.cancel(mailing, timezone.now())

    def report(self, mailing: Mailing, *, as_json: bool) -> None:
        """The report, in numbers only."""
        tally = counts.count(mailing, timezone.now)
        minutes = counts.count_answers_per_minute(mailing, timezone.now)
        made = report.build_report(mailing, tally, minutes)
        if as_json:
            self.stdout.write(json.dumps(report.report_as_data(made), indent=2))
            return
        self.write_line(mailing)
        for line in report.report_as_lines(made):
            self.stdout.write(line)

    def write_line(self, mailing: Mailing) -> None:
        ledger = lifecycle.ledger(mailing)
        status = str(mailing.get_status_display())
        if mailing.status == MailingStatus.PAUSED and mailing.pause_reason:
            status += f" ({mailing.pause_reason})"
        self.stdout.write(
            f"{mailing.pk}: {mailing}, {status}; audience "
            f"{ledger.audience}, sent {ledger.sent}, failed {ledger.failed}, excluded "
            f"{ledger.excluded}, uncertain {ledger.uncertain}, to send {ledger.still_to_send}"
        )
