"""The Celery application. The database is the queue; Celery is only the engine."""

import logging
import os
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.loaders.app import AppLoader
from django.conf import settings
from django.db import connections
from django.utils.log import configure_logging
from kombu.transport import TRANSPORT_ALIASES

from core import heartbeats
from newsletter.delivery import shutdown
from newsroom import filesystem_broker, startup_checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
# BROKER_URL's filesystem: is ours.
TRANSPORT_ALIASES["filesystem"] = (
    f"{filesystem_broker.__name__}:{filesystem_broker.Transport.__name__}"
)


class SettingsLoader(AppLoader):
    """Celery's programs read the settings before anything else of ours is asked."""

    def config_from_object(self, obj: Any, silent: bool = False) -> Any:
        with startup_checks.or_say_why():
            return super().config_from_object(obj, silent)


app = Celery("newsroom", loader="newsroom.celery:SettingsLoader")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_broker_folders(sender: Celery, **_kwargs: Any) -> None:
    """The filesystem broker wants its folders there before the first message."""
    if sender.conf.broker_url.startswith("filesystem:"):
        folders = sender.conf.broker_transport_options
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            Path(folders[name]).mkdir(mode=0o700, parents=True, exist_ok=True)


@signals.setup_logging.connect
def log_as_django_does(**_kwargs: Any) -> None:
    """One configuration for all processes; what is printed goes through it too, masked."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    app.log.redirect_stdouts_to_logger(logging.getLogger("printed"), logging.WARNING)


_signs: list[str] = []
"""Which processes this worker gives signs of life for."""


@signals.celeryd_init.connect
def begin_worker(options: dict[str, Any], **_kwargs: Any) -> None:
    """Before it takes a task."""
    with startup_checks.or_say_why():
        startup_checks.require_worker_key()
        # By the queues that it serves: if letters' has nobody, the others' life says nothing.
        served = options.get("queues") or settings.QUEUES
        workers = {"worker": settings.LETTERS, "intake": settings.SIGN_UPS}
        _signs[:] = [name for name, queue in workers.items() if queue in served]
        for name in _signs:
            heartbeats.begin(name)
    signals.heartbeat_sent.connect(worker_lives)


@signals.worker_shutting_down.connect
def end_worker(**_kwargs: Any) -> None:
    """SIGTERM reaches the parent. Its lanes finish the letters that they have begun."""
    shutdown.tell()


@signals.beat_init.connect
def begin_beat(**_kwargs: Any) -> None:
    """Before the first tick. From then on each tick that reached the broker is a sign of life."""
    with startup_checks.or_say_why():
        startup_checks.refuse_worker_key("Beat")
        heartbeats.begin("beat")
    signals.after_task_publish.connect(beat_lives)


def worker_lives(**_kwargs: Any) -> None:
    """Sent every two seconds while there is a connection to the broker."""
    for name in _signs:
        heartbeats.beat(name)
    # The processes that do the work are forked from this one and must inherit no connection.
    connections.close_all()


def beat_lives(**_kwargs: Any) -> None:
    """In beat's own process only."""
    heartbeats.beat("beat")
    connections.close_all()
