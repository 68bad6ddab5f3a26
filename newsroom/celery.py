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
# For BROKER_URL=filesystem://.
TRANSPORT_ALIASES["filesystem"] = (
    f"{filesystem_broker.__name__}:{filesystem_broker.Transport.__name__}"
)


class SettingsLoader(AppLoader):
    """Reports a wrong setting in one line."""

    def config_from_object(self, obj: Any, silent: bool = False) -> Any:
        with startup_checks.exit_on_startup_error():
            return super().config_from_object(obj, silent)


app = Celery("newsroom", loader="newsroom.celery:SettingsLoader")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def make_broker_folders(sender: Celery, **_kwargs: Any) -> None:
    """The filesystem broker does not create its folders."""
    if sender.conf.broker_url.startswith("filesystem:"):
        folders = sender.conf.broker_transport_options
        for name in ("data_folder_in", "data_folder_out", "control_folder"):
            Path(folders[name]).mkdir(mode=0o700, parents=True, exist_ok=True)


@signals.setup_logging.connect
def configure_celery_logging(**_kwargs: Any) -> None:
    """Django's LOGGING, for what is printed too, so that all of it is redacted."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    app.log.redirect_stdouts_to_logger(logging.getLogger("printed"), logging.WARNING)


_heartbeat_names: list[str] = []
"""The processes of heartbeats.MAX_AGE_SECONDS that this worker counts as."""


@signals.celeryd_init.connect
def start_worker(options: dict[str, Any], **_kwargs: Any) -> None:
    """Before it takes a task."""
    with startup_checks.exit_on_startup_error():
        startup_checks.require_worker_key()
        # By queue: a worker of another queue does not send letters.
        served = options.get("queues") or settings.QUEUES
        workers = {"worker": settings.LETTERS_QUEUE, "intake": settings.SIGN_UPS_QUEUE}
        _heartbeat_names[:] = [name for name, queue in workers.items() if queue in served]
        for name in _heartbeat_names:
            heartbeats.start(name)
    signals.heartbeat_sent.connect(send_worker_heartbeat)


@signals.worker_shutting_down.connect
def stop_worker(**_kwargs: Any) -> None:
    """SIGTERM reaches the parent process; lanes finish the letters in progress."""
    shutdown.request_shutdown()


@signals.beat_init.connect
def start_beat(**_kwargs: Any) -> None:
    """Before the first tick; each published tick is a heartbeat."""
    with startup_checks.exit_on_startup_error():
        startup_checks.refuse_worker_key("Beat")
        heartbeats.start("beat")
    signals.after_task_publish.connect(send_beat_heartbeat)


def send_worker_heartbeat(**_kwargs: Any) -> None:
    """Every two seconds while the broker is connected."""
    for name in _heartbeat_names:
        heartbeats.beat(name)
    # Forked children must not inherit the connection.
    connections.close_all()


def send_beat_heartbeat(**_kwargs: Any) -> None:
    """In beat's process only."""
    heartbeats.beat("beat")
    connections.close_all()
