"""Runs what is due, for cron or by hand."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from articles.editorial.workflow import publish_due
from newsletter import schedule
from newsletter.tasks import enqueue_due


class Command(BaseCommand):
    """Publishes scheduled texts, reaps expired lanes, launches due mailings."""

    help = "Does once what Celery beat does each minute."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        published = publish_due(now)
        found = schedule.run_due(now)
        enqueue_due(found)
        self.stdout.write(
            f"{published} texts published; {len(found.lanes)} lanes, "
            f"{len(found.sign_ups)} sign-ups, {found.transactional_mails} transactional mails and "
            f"{len(found.lookups)} lookups handed to the workers"
        )
