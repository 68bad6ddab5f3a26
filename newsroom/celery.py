"""The Celery application. The database is the queue; Celery is only the engine."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

app = Celery("newsroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

if settings.CELERY_BROKER_URL == "filesystem://":
    (settings.BROKER_DIR / "control").mkdir(mode=0o700, parents=True, exist_ok=True)
