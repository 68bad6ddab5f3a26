"""The web server: granian, with all of its settings.

    python -m newsroom.server [--bind 127.0.0.1:8000] [--workers 2]

The site is loaded once, before the workers are forked: what keeps it from starting is said once, and
they share what lies in memory alone (newsroom.ephemeral).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from newsroom import logs

THREADS = 8
"""Of each worker. One that waits for a slow upload or a slow database holds up nobody else."""
HEADERS_WITHIN_MS = 10_000
MAX_HEADER_BYTES = 64 * 1024
STOP_WITHIN_SECONDS = 25
"""What is under way is finished; after that a worker is killed."""
# Its own lines, and what it says of an exception that nobody caught, masked as all others are.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {
        "_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "granian.access": {"handlers": [], "propagate": False},
    },
}


def serve(application: Any, bind: str, workers: int, **more: Any) -> None:
    """Until it is asked to stop. `more` are granian's own options."""
    logs.install()
    # Python 3.14 would start workers anew, without what they are to share.
    multiprocessing.set_start_method("fork")
    host, _, port = bind.rpartition(":")
    server = Server(
        "newsroom.wsgi",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADERS_WITHIN_MS, max_buffer_size=MAX_HEADER_BYTES
        ),
        log_dictconfig=LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_WITHIN_SECONDS,
        **more,
    )
    server.serve(target_loader=lambda: application, wrap_loader=False)


def main() -> None:
    """The entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    logs.install()
    from newsroom.wsgi import application  # noqa: PLC0415 - its mistakes are masked too

    serve(application, arguments.bind, arguments.workers)


if __name__ == "__main__":
    main()
