"""The web server: granian and its configuration. Started by newsroom.web.

The application is loaded before the workers fork: startup errors appear once, and workers share
memory (keys.ephemeral). SIGTERM stops it gracefully; SIGHUP replaces the workers one by one, with
the code that was loaded.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server import Server

from newsroom import log_redaction

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS_PER_WORKER = 4
HEADER_READ_TIMEOUT_MS = 10_000
MAX_HEADER_BYTES = 64 * 1024
SHUTDOWN_TIMEOUT_SECONDS = 25
"""For requests in progress; then workers are killed."""
PR_SET_PDEATHSIG = 1
"""See prctl(2)."""
REQUEST_VARIABLE_PREFIXES = (
    "CONTENT_",
    "HTTP_",
    "PATH_",
    "QUERY_",
    "REMOTE_",
    "REQUEST_",
    "SCRIPT_",
    "SERVER_",
)
# Granian's own lines and uncaught exceptions; no access log.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def serve(application: WSGIApplication, bind: str, workers: int, **options: Any) -> None:
    """Runs until it is stopped. `options` are granian's."""
    log_redaction.install()
    # Python 3.14's default would not share memory.
    multiprocessing.set_start_method("fork")
    host, _, port = bind.rpartition(":")
    server = Server(
        "newsroom",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS_PER_WORKER,
        runtime_blocking_threads=THREADS_PER_WORKER,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_READ_TIMEOUT_MS, max_buffer_size=MAX_HEADER_BYTES
        ),
        log_dictconfig=LOGGING,
        respawn_failed_workers=True,
        workers_kill_timeout=SHUTDOWN_TIMEOUT_SECONDS,
        **options,
    )
    server.serve(target_loader=lambda: _start_worker(application), wrap_loader=False)


def _start_worker(application: WSGIApplication) -> WSGIApplication:
    """Ends the worker when its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return application


def without_process_environment(application: WSGIApplication) -> WSGIApplication:
    """Removes the process's environment, which granian adds to each WSGI environ.

    An error page would show it.
    """
    names = [name for name in os.environ if not name.startswith(REQUEST_VARIABLE_PREFIXES)]

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name in names:
            environ.pop(name, None)
        return application(environ, start_response)

    return answer


def main(application: WSGIApplication) -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    serve(application, arguments.bind, arguments.workers)
