"""What beat does each minute, for cron or for an administrator at night."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from newsletter import due
from newsletter.tasks import enqueue_due


class Command(BaseCommand):
    """Settles what dead workers left, launches what is due and wakes the workers."""

    help = "Does once what Celery beat does each minute."

    def handle(self, *args: Any, **options: Any) -> None:
        found = due.settle_and_launch(timezone.now())
        enqueue_due(found)
        self.stdout.write(
            f"{len(found.lanes)} lanes, {len(found.sign_ups)} sign-ups and "
            f"{len(found.confirmations)} confirmations handed to the workers"
        )
