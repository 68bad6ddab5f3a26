"""The Celery application. The database is the queue; Celery is only the engine."""

import logging
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings
from django.utils.log import configure_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

app = Celery("newsroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_broker_folders(sender: Celery, **_kwargs: Any) -> None:
    """The filesystem broker wants its folders there before the first message."""
    if sender.conf.broker_url.startswith("filesystem:"):
        folders = sender.conf.broker_transport_options
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            Path(folders[name]).mkdir(mode=0o700, parents=True, exist_ok=True)


@setup_logging.connect
def log_as_django_does(**_kwargs: Any) -> None:
    """One configuration for all processes; what is printed goes through it too, masked."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    app.log.redirect_stdouts_to_logger(logging.getLogger("printed"), logging.WARNING)
