"""Whether a process is well, and whether the newsroom is.

GET /healthz      is 200 as long as this web process can work, whatever else is wrong: a load
                  balancer or compose asks. What is wrong stands in the answer.
GET /healthz?all  is 503 if anything is wrong, letters that should have gone included: whoever
                  wakes somebody asks.

python -m newsroom.health web [ADDRESS]   asks the web process at its address
python -m newsroom.health all [ADDRESS]   asks it for everything
python -m newsroom.health worker|intake|beat   looks at the last sign of life below VAR_DIR
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from core import heartbeats
from core.health import OK, look
from newsroom import startup_checks

PATH = "/healthz"


class Healthz:
    """Answers at /healthz whatever the Host header says."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path != PATH:
            return self.get_response(request)
        found = look()
        needed = found.values() if "all" in request.GET else [found["database"]]
        return JsonResponse(
            found,
            status=200 if set(needed) == {OK} else 503,
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


def ask_web(address: str) -> str:
    """What is wrong with the web process, or with what it tells; empty if nothing is."""
    try:
        with urlopen(address, timeout=10):  # noqa: S310
            return ""
    except HTTPError as error:
        with error:
            return f"{address}: {error.code} {_told(error.read())}".strip()
    except (URLError, OSError, ValueError) as error:
        return f"{address}: {error}"


def _told(body: bytes) -> str:
    """`worker silent, letters overdue`; nothing where somebody else has answered."""
    try:
        found = json.loads(body)
        return ", ".join(f"{name} {word}" for name, word in found.items() if word != OK)
    except (ValueError, AttributeError):
        return ""


def ask_file(process: str, now: float) -> str:
    """What is wrong with a worker or with beat; empty if nothing is."""
    age = heartbeats.seconds_since(process, now)
    if age is None:
        return f"{process} has given no sign of life at {heartbeats.path_of(process)}."
    if age > heartbeats.LATEST[process]:
        return f"{process} has given no sign of life for {age:.0f} seconds."
    return ""


def main(arguments: list[str]) -> str | None:
    """For sys.exit: None if the process is well."""
    match arguments:
        case ["web" | "all" as what, *address] if len(address) < 2:
            asked = address[0] if address else f"http://127.0.0.1:8000{PATH}"
            return ask_web(f"{asked}?all" if what == "all" else asked) or None
        case [process] if process in heartbeats.LATEST:
            return ask_file(process, time.time()) or None
    return __doc__


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    with startup_checks.or_say_why():
        problem = main(sys.argv[1:])
    sys.exit(problem)
