"""What beat does each minute, for cron or for an administrator at night."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from articles.editorial.workflow import publish_due
from newsletter import schedule
from newsletter.tasks import enqueue_due


class Command(BaseCommand):
    """Publishes what is scheduled, settles what dead workers left, launches what is due."""

    help = "Does once what Celery beat does each minute."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        published = publish_due(now)
        found = schedule.settle_and_launch(now)
        enqueue_due(found)
        self.stdout.write(
            f"{published} texts published; {len(found.lanes)} lanes, "
            f"{len(found.sign_ups)} sign-ups, {found.single_mails} single mails and "
            f"{len(found.inquiries)} questions handed to the workers"
        )
