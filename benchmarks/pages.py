"""How many readers' pages a second two web processes answer, and how soon.

    python benchmarks/pages.py [--database sqlite|postgres] [--seconds 3] [--rounds 3] [--json]

Serves the demo newsroom as production does (gunicorn, two workers, the whole of Django) and asks
for an article and for the first page with `wrk`, over 1 and over 32 connections:

- kept: an address that was asked for before;
- first visit (of the article): an address that nobody has asked for (each has another slug), while
  what many pages share is kept;
- nothing kept: PAGE_CACHE_MB=0;
- bare: a Django without middleware or database whose one view answers with the same bytes, in the
  same run, as the limit that kept pages can come near to.

The rounds are interleaved; each figure is the median of the rounds. Any answer but 200 ends the
run. Then what a first visit to an article brings without pictures, in bytes. With `postgres` the
server is one of the benchmark's own. Needs wrk (Debian: apt install wrk).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.observatory import manage, prepare  # noqa: E402
from newsroom import supervising  # noqa: E402
from tests.services import free_port, program, running_postgresql  # noqa: E402

PAGES = {"article": "/be/1/", "home": "/be/"}
CONNECTIONS = (1, 32)
WORKERS = "2"
AIMS = {("article", "first visit", 32): 250, ("article", "kept", 32): 2500}
"""Requests a second."""
BEHIND_TLS = ("X-Forwarded-Proto", "https")
"""What the proxy says that production stands behind."""
AS_BROWSERS = ("Accept-Encoding", "gzip")
SLUGS = Path(__file__).with_name("slugs.lua")
ASSET = re.compile(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"')


@dataclass(frozen=True)
class Measured:
    """Of one round or the medians of all."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """The entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pages-")))
        environment = stack.enter_context(newsroom(folder, arguments.database))
        sites = stack.enter_context(serving(folder, environment))
        figures = measure(sites, arguments.rounds, arguments.seconds)
        size = first_visit(sites["kept"] + PAGES["article"])
    if arguments.json:
        rows = [
            {"page": page, "what": what, "connections": connections, **asdict(found)}
            for (page, what, connections), found in figures.items()
        ]
        print(json.dumps({"database": arguments.database, "rows": rows, "first_visit": size}))
        return
    print_figures(arguments.database, figures)
    print(f"First visit to an article without pictures: {sum(size.values())} bytes {size}")


# --- The sites ---------------------------------------------------------------------------


@contextlib.contextmanager
def newsroom(folder: Path, database: str) -> Iterator[dict[str, str]]:
    """The demo's articles; yields the environment of its web processes."""
    with contextlib.ExitStack() as stack:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "VAR_DIR": str(folder / "var"),
            "STATIC_ROOT": str(folder / "static"),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SITE_URL": "https://news.example.org",
            "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(9),
            "DATABASE_URL": f"sqlite:///{folder / 'var' / 'newsroom.sqlite3'}",
        }
        (folder / "var").mkdir()
        if database == "postgres":
            server = stack.enter_context(running_postgresql(durable=True))
            environment["DATABASE_URL"] = server.create("pages")
        prepare(environment)
        environment |= {
            "PRODUCTION": "1",
            "WORKER_KEY_FILE": "none",
            "ALLOWED_HOSTS": "127.0.0.1",
            "RELAY_URL": "smtp://localhost:25",
        }
        manage(environment, "collectstatic", "--noinput")
        yield environment


@contextlib.contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Starts all of them; yields their addresses."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--chdir", str(ROOT), "--workers", WORKERS]
    ports = {name: free_port() for name in ("kept", "nothing kept", *PAGES)}
    addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    with contextlib.ExitStack() as stack:

        def start(name: str, application: str, **more: str) -> None:
            command = [*gunicorn, application, "--bind", f"127.0.0.1:{ports[name]}"]
            stack.enter_context(
                supervising.running({name: command}, {**environment, **more}, folder / name)
            )

        start("kept", "newsroom.wsgi")
        start("nothing kept", "newsroom.wsgi", PAGE_CACHE_MB="0")
        for name in ("kept", "nothing kept"):
            wait_for(addresses[name] + "/healthz")
        for page, path in PAGES.items():
            body = folder / f"{page}.html"
            body.write_bytes(fetch(addresses["kept"] + path))
            start(page, "benchmarks.bare", BARE_FILE=str(body))
            wait_for(addresses[page])
        yield addresses


def wait_for(address: str) -> None:
    """Until it answers."""
    supervising.wait_for_answer(address, [])


def fetch(address: str) -> bytes:
    """Raises for anything but a success."""
    request = urllib.request.Request(address, headers=dict([BEHIND_TLS, AS_BROWSERS]))
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


# --- The measuring -----------------------------------------------------------------------


def measure(
    sites: dict[str, str], rounds: int, seconds: int
) -> dict[tuple[str, str, int], Measured]:
    """Medians by page, kind and connections."""
    found: dict[tuple[str, str, int], list[Measured]] = defaultdict(list)
    for _round in range(rounds):
        for page, path in PAGES.items():
            kinds = {"kept": sites["kept"] + path}
            if page == "article":
                # Only an article has an address for each slug.
                kinds["first visit"] = sites["kept"] + path
            kinds |= {"nothing kept": sites["nothing kept"] + path, "bare": sites[page] + path}
            for what, address in kinds.items():
                first = what == "first visit"
                for connections in CONNECTIONS:
                    once = wrk(address, connections, seconds, another_each_time=first)
                    found[page, what, connections].append(once)
    return {key: median(rows) for key, rows in found.items()}


def wrk(
    address: str, connections: int, seconds: int, *, another_each_time: bool = False
) -> Measured:
    """One run, after a short one that fills what is kept."""
    for duration in ("1s", f"{seconds}s"):
        command = [
            program("wrk"),
            "-t1",
            f"-c{connections}",
            f"-d{duration}",
            "--latency",
            "--timeout",
            "60s",
        ]
        command += ["-H", ": ".join(BEHIND_TLS)]
        if another_each_time:
            command += ["-s", str(SLUGS)]
        command += [address, "--", secrets.token_hex(4)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if "Non-2xx" in said or "Socket errors" in said:
            sys.exit(f"{address} was not always answered:\n{said}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    return Measured(float(rate[1]), percentile(said, 50), percentile(said, 99))


def percentile(said: str, which: int) -> float:
    """Milliseconds, of what wrk says in its own units."""
    found = re.search(rf"\s{which}%\s+([\d.]+)(us|ms|s)\b", said)
    assert found is not None, said
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def median(rows: list[Measured]) -> Measured:
    """Of each figure by itself."""
    return Measured(*(statistics.median(column) for column in zip(*map(values, rows), strict=True)))


def values(row: Measured) -> tuple[float, ...]:
    """In the order of the fields."""
    return tuple(asdict(row).values())


def first_visit(address: str) -> dict[str, int]:
    """Bytes of the page, which leaves as it is, and of what it loads, which is compressed."""
    page = fetch(address)
    site = address.split("/be/")[0]
    assets = ASSET.findall(page.decode())
    return {"page": len(page), **{path: len(fetch(site + path)) for path in assets}}


def print_figures(database: str, figures: dict[tuple[str, str, int], Measured]) -> None:
    """A table, with what misses its aim."""
    print(f"{WORKERS} workers, {database}")
    print(f"{'':30}{'connections':>12}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'of bare':>9}")
    for (page, what, connections), found in figures.items():
        share = found.requests_per_second / figures[page, "bare", connections].requests_per_second
        aim = AIMS.get((page, what, connections), 0)
        missed = f"  MISSED {aim}" if found.requests_per_second < aim else ""
        print(
            f"{page + ', ' + what:30}{connections:12}{found.requests_per_second:12.0f}"
            f"{found.p50_ms:9.1f}{found.p99_ms:9.1f}{share:9.2f}{missed}"
        )


if __name__ == "__main__":
    main()
