"""Health checks over HTTP and on the command line.

GET /healthz      200 while this web process and its database work: for load balancers and compose
GET /healthz?all  503 if any check fails, overdue letters included: for monitoring

python -m newsroom.health web [URL]   requests /healthz
python -m newsroom.health all [URL]   requests /healthz?all
python -m newsroom.health worker|intake|beat   reads the process's heartbeat file below VAR_DIR
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
from core.health import OK, check_all
from newsroom import startup_checks

PATH = "/healthz"


class HealthMiddleware:
    """Answers /healthz under any Host header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path != PATH:
            return self.get_response(request)
        results = check_all()
        required = results.values() if "all" in request.GET else [results["database"]]
        return JsonResponse(
            results,
            status=200 if set(required) == {OK} else 503,
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


def check_web(address: str) -> str:
    """An error message; empty if the response is 200."""
    try:
        with urlopen(address, timeout=10):  # noqa: S310
            return ""
    except HTTPError as error:
        with error:
            return f"{address}: {error.code} {_failures(error.read())}".strip()
    except (URLError, OSError, ValueError) as error:
        return f"{address}: {error}"


def _failures(body: bytes) -> str:
    """`worker silent, letters overdue`; empty if the body is not ours."""
    try:
        found = json.loads(body)
        return ", ".join(f"{name} {word}" for name, word in found.items() if word != OK)
    except (ValueError, AttributeError):
        return ""


def check_heartbeat(process: str, now: float) -> str:
    """An error message about a worker or beat; empty if its heartbeat is recent."""
    age = heartbeats.age_seconds(process, now)
    if age is None:
        return f"{process} has no heartbeat at {heartbeats.heartbeat_path(process)}."
    if age > heartbeats.MAX_AGE_SECONDS[process]:
        return f"{process} has sent no heartbeat for {age:.0f} seconds."
    return ""


def main(arguments: list[str]) -> str | None:
    """For sys.exit: None if healthy."""
    match arguments:
        case ["web" | "all" as target, *address] if len(address) < 2:
            url = address[0] if address else f"http://127.0.0.1:8000{PATH}"
            return check_web(f"{url}?all" if target == "all" else url) or None
        case [process] if process in heartbeats.MAX_AGE_SECONDS:
            return check_heartbeat(process, time.time()) or None
    return __doc__


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
    with startup_checks.exit_on_startup_error():
        problem = main(sys.argv[1:])
    sys.exit(problem)
