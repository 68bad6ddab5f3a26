"""What workers do for the articles: a few lines around one verb."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from articles.editorial.workflow import publish_due

TICK_SECONDS = 60


@shared_task(name="articles.tick", expires=TICK_SECONDS)
def tick() -> None:
    """Each minute: what is scheduled and due?"""
    publish_due(timezone.now())
