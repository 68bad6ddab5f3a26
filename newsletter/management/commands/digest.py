"""Actions on a digest, as in the admin."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from articles.editorial.digest_builder import DigestApproved, EmptyWeek, build_digest
from articles.models import Digest
from core.weeks import InvalidWeek, Week
from newsletter.campaigns import approval, lifecycle
from newsletter.campaigns.approval import ApprovalError
from newsletter.mime import InvalidLetter
from newsletter.tasks import enqueue, sign_letters


class Command(BaseCommand):
    """gather, approve, reopen or report one week's digest."""

    help = "Gathers, approves, opens again or reports a week's digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["gather", "approve", "reopen", "report"])
        parser.add_argument("week", help="the week's Monday, such as 2026-11-16")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            week = Week.parse(options["week"])
            if options["verb"] == "gather":
                digest = build_digest(week)
                self.stdout.write(f"{digest}: {digest.entries.count()} articles")
                return
            digest = Digest.objects.get(week=week)
            getattr(self, options["verb"])(digest)
        except Digest.DoesNotExist:
            raise CommandError(
                f"There is no digest of {week}. Gather it: manage.py digest gather {week}"
            ) from None
        except (InvalidWeek, EmptyWeek, DigestApproved, ApprovalError, InvalidLetter) as error:
            raise CommandError(str(error)) from None

    def approve(self, digest: Digest) -> None:
        for mailing in approval.approve(digest, None, timezone.now()):
            self.stdout.write(
                f"{mailing.pk}: {mailing.edition}, {mailing.get_status_display()}, "
                f"due {mailing.due_at:%Y-%m-%d %H:%M} UTC"
            )
        enqueue(sign_letters)

    def reopen(self, digest: Digest) -> None:
        opened = lifecycle.reopen(digest, timezone.now())
        self.stdout.write("Open again." if opened else "It was open.")

    def report(self, digest: Digest) -> None:
        self.stdout.write(lifecycle.summary_line(digest))
