"""Whether a process is well.

python -m newsroom.health web [ADDRESS]   asks the web process at its address
python -m newsroom.health worker|beat     looks at the last sign of life below VAR_DIR
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import urlopen

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from newsroom import heartbeats, starting

PATH = "/healthz"


class Healthz:
    """Answers at /healthz whatever the Host header says: 200 if the database answers, else 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path != PATH:
            return self.get_response(request)
        well = database_answers()
        return HttpResponse(
            "ok\n" if well else "The database does not answer.\n",
            status=200 if well else 503,
            content_type="text/plain; charset=utf-8",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


def database_answers() -> bool:
    """Whether it takes a question just now."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError):
        connection.close()
        return False
    return True


def ask_web(address: str) -> str:
    """What is wrong with the web process; empty if nothing is."""
    try:
        with urlopen(address, timeout=10):  # noqa: S310
            return ""
    except (URLError, OSError, ValueError) as error:
        return f"{address}: {error}"


def ask_file(process: str, now: float) -> str:
    """What is wrong with the worker or with beat; empty if nothing is."""
    age = heartbeats.seconds_since(process, now)
    if age is None:
        return f"{process} has given no sign of life at {heartbeats.path_of(process)}."
    if age > heartbeats.LATEST[process]:
        return f"{process} has given no sign of life for {age:.0f} seconds."
    return ""


def main(arguments: list[str]) -> str | None:
    """For sys.exit: None if the process is well."""
    match arguments:
        case ["web"]:
            return ask_web(f"http://127.0.0.1:8000{PATH}") or None
        case ["web", address]:
            return ask_web(address) or None
        case ["worker" | "beat" as process]:
            return ask_file(process, time.time()) or None
    return __doc__


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    with starting.or_say_why():
        problem = main(sys.argv[1:])
    sys.exit(problem)
