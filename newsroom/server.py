"""The web server: granian, with all of its settings. newsroom.web starts it.

The site is loaded once, before the workers are forked: what keeps it from starting is said once,
and they share what lies in memory alone (keys.ephemeral). SIGTERM ends it once what is under
way is answered; SIGHUP replaces its workers one after the other, with the code that was loaded.
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

THREADS = 4
"""Of each worker. One that waits for a slow upload or a slow database holds up no other."""
HEADERS_WITHIN_MS = 10_000
MAX_HEADER_BYTES = 64 * 1024
STOP_WITHIN_SECONDS = 25
"""What is under way is answered until then; whoever is not done is killed."""
PR_SET_PDEATHSIG = 1
"""See prctl(2)."""
OF_A_REQUEST = ("CONTENT_", "HTTP_", "PATH_", "QUERY_", "REMOTE_", "REQUEST_", "SCRIPT_", "SERVER_")
# Its own lines, and what it says of an exception that nobody caught; no line for each request.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def serve(application: WSGIApplication, bind: str, workers: int, **more: Any) -> None:
    """Until it is asked to stop. `more` are granian's own options."""
    log_redaction.install()
    # Python 3.14 would start the workers anew, without what they are to share.
    multiprocessing.set_start_method("fork")
    host, _, port = bind.rpartition(":")
    server = Server(
        "newsroom",
        address=host.strip("[]"),
        port=int(port),
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        runtime_blocking_threads=THREADS,
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
    server.serve(target_loader=lambda: _begin_worker(application), wrap_loader=False)


def _begin_worker(application: WSGIApplication) -> WSGIApplication:
    """In each worker. One whose parent was killed would go on serving, with nobody to end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return application


def without_our_environment(application: WSGIApplication) -> WSGIApplication:
    """For Django: granian hands on the process's variables with each request.

    A page about an error would show them.
    """
    ours = [name for name in os.environ if not name.startswith(OF_A_REQUEST)]

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name in ours:
            environ.pop(name, None)
        return application(environ, start_response)

    return answer


def main(application: WSGIApplication) -> None:
    """Serves it as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bind", default="127.0.0.1:8000", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    serve(application, arguments.bind, arguments.workers)
