"""A web application, tasks and a scheduler that fail with personal data in every message.

`python -m tests.newsroom.raising`, `celery -A tests.newsroom.raising worker`.
"""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any

from celery.beat import Scheduler
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from newsroom import log_redaction, server
from newsroom.celery import app

ADDRESS = "planted.reader+news@example.org"
IPV4, IPV6 = "198.51.100.7", "2001:db8::c0ff:ee"
TOKEN = "planted" + "abcdefghijklmnopqrstuvwxyz234567" + "secret"
VISITOR_DATA = f"<{ADDRESS}> from {IPV4} and {IPV6} with {TOKEN}"


class Unpicklable(Exception):
    """Cannot be sent from one process to another."""

    def __init__(self, text: str, _lock: object) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def fail(*_args: Any, **_kwargs: Any) -> Any:
    """With a cause, a context and a note."""
    try:
        try:
            raise KeyError(VISITOR_DATA)
        except KeyError as error:
            raise OSError(f"550 5.1.1 {VISITOR_DATA} unknown") from error
    except OSError:
        error = ValueError(f"Key (email)=({ADDRESS}) already exists, said {VISITOR_DATA}")
        error.add_note(f"Note of {VISITOR_DATA}")
        raise error  # noqa: B904 (the other way of chaining is what is wanted)


def fail_at_once(_environ: Any, _start_response: Any) -> Any:
    """A WSGI application that is no Django at all."""
    return fail()


def warn(_request: HttpRequest) -> HttpResponse:
    """What libraries do besides raising."""
    warnings.warn(VISITOR_DATA, RuntimeWarning, stacklevel=1)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    return HttpResponse("warned")


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """The newsroom's own page would need a database."""
    return HttpResponse("not found", status=404)


handler404 = not_found
urlpatterns = [
    path("en/letter/<str:token>/", fail),
    path("warn/", warn),
]


def application(environ: Any, start_response: Any) -> Any:
    """Django with these pages."""
    if environ["PATH_INFO"].startswith("/outside/"):
        return fail_at_once(environ, start_response)
    return django(environ, start_response)


@app.task(name="raising.chained")
def chained(_visitor: str) -> None:
    fail()


@app.task(name="raising.unpicklable")
def unpicklable() -> None:
    raise Unpicklable(VISITOR_DATA, threading.Lock())


@app.task(name="raising.chatty")
def chatty() -> None:
    print(VISITOR_DATA)
    print(VISITOR_DATA, file=sys.stderr)
    warnings.warn(VISITOR_DATA, RuntimeWarning, stacklevel=1)


class RaisingScheduler(Scheduler):
    """Ends beat."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        fail()
        return 0.0


if __name__ == "__main__":
    log_redaction.install()
    django = get_wsgi_application()
    settings.ROOT_URLCONF = "tests.newsroom.raising"
    server.main(application)
