"""Celery tasks."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from articles.editorial.workflow import publish_due

TICK_SECONDS = 60


@shared_task(name="articles.tick", expires=TICK_SECONDS)
def publish_due_articles() -> None:
    """Runs each minute."""
    publish_due(timezone.now())
