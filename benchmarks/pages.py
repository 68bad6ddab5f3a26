"""Requests per second and latency of public pages with two web processes, compared with nginx.

    python benchmarks/pages.py [--database sqlite|postgres] [--seconds 3] [--rounds 3] [--json]

Serves the demo newsroom, and copies of its articles, as production does (newsroom.web, two workers)
and asks with `wrk`, over 1 and over 32 connections:

- stored: the article or the home page, in the page cache;
- nginx: the same bytes and headers as a file, by two workers, in the same run;
- first visit: articles that are not cached, each once; the shared fragments are;
- after a change: the home page, while its content changes ten times a second;
- nothing stored: PAGE_CACHE_MB=0, so that every page is rendered for every request.

The rounds are interleaved; each figure is the median of the rounds. wrk runs on the same
processors, so the ratio to nginx says more than the rate. Any answer but 200 ends the run. Then
the size of an article with its assets, without pictures. With `--json` the last line has
`kept_per_second`, `kept_ratio_to_nginx` and `first_visit_per_second`, at 32 connections.

With `postgres` it starts a server. Needs wrk and nginx (Debian: apt install
wrk nginx-light).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
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

from benchmarks.http_observatory import manage, prepare  # noqa: E402
from demo import process_manager  # noqa: E402
from tests.services import free_port, program, running_postgresql  # noqa: E402

CONNECTIONS = (1, 32)
WORKERS = 2
HOME = "/be/"
COPIES = 40
"""Of each demo article, so that a run requests none twice."""
TARGETS = {
    ("article", "stored", 32): 10_000,
    ("article", "first visit", 32): 250,
    ("home", "after a change", 32): 100,
}
"""Requests a second."""
RATIO_TO_NGINX = 0.4
BEHIND_TLS = ("X-Forwarded-Proto", "https")
"""As production's proxy sets it."""
PATHS = Path(__file__).with_name("paths.lua")
ASSET = re.compile(r'<link rel="(?:stylesheet|icon)" href="([^"]+)"')
HEADERS_OF_NGINX = {"Content-Length", "Content-Type", "Server", "Date", "Connection"}
NGINX = """
worker_processes %(workers)s;
daemon off;
pid %(folder)s/nginx.pid;
error_log stderr emerg;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
  fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi;
  scgi_temp_path %(folder)s/scgi;
  open_file_cache max=100;
  sendfile on; tcp_nopush on;
  server {
    listen 127.0.0.1:%(port)s reuseport;
    root %(folder)s/www;
    default_type "text/html; charset=utf-8";
    %(headers)s
  }
}
"""
COPY = """
import datetime as dt, sys
from django.db.models import Min
from articles.models import Article, ArticleLanguage
from core.weeks import Week
copies = range(int(sys.argv[1]))
week = Week(Article.objects.aggregate(oldest=Min("week"))["oldest"].monday - dt.timedelta(days=7))
for article in list(Article.objects.public()):
    rows, authors = list(article.article_languages.all()), list(article.authors.all())
    article.pk, article.week, article.verdict = None, week, ""
    article.old_path = article.imported_as = ""
    fields = {one.attname: getattr(article, one.attname) for one in article._meta.concrete_fields}
    made = Article.objects.bulk_create(Article(**fields) for _ in copies)
    signed = Article.authors.through
    signed.objects.bulk_create(
        signed(article_id=one.pk, author_id=author.pk) for one in made for author in authors
    )
    for row in rows:
        row.pk = None
        fields = {one.attname: getattr(row, one.attname) for one in row._meta.concrete_fields}
        ArticleLanguage.objects.bulk_create(
            ArticleLanguage(**fields | {"article_id": one.pk}) for one in made
        )
for language in ("en", "be", "ru"):
    for article in Article.objects.in_language(language).order_by("pk").prefetch_related(
        "article_languages"
    ):
        print(article.path_in(language))
"""


@dataclass(frozen=True)
class Measurement:
    """Of one round, or the medians of all."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Site:
    """The running servers and their URLs."""

    stored: str
    nothing_stored: str
    nginx: dict[str, str]
    environment: dict[str, str]
    paths: Path
    """A file with the articles' paths."""
    article: str
    """The path of one."""


Key = tuple[str, str, int]
"""Page, what, connections."""


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
        # nginx's workers run as nobody.
        folder.chmod(0o755)
        environment = stack.enter_context(newsroom(folder, arguments.database))
        site = stack.enter_context(serving(folder, environment))
        figures = measure(site, arguments.rounds, arguments.seconds)
        size = first_visit(site.stored, site.article)
    print_figures(arguments.database, figures)
    print(f"First visit to an article without pictures: {sum(size.values())} bytes {size}")
    if arguments.json:
        stored = figures["article", "stored", 32].requests_per_second
        nginx = figures["article", "nginx", 32].requests_per_second
        summary = {
            "kept_per_second": round(stored),
            "kept_ratio_to_nginx": round(stored / nginx, 2),
            "first_visit_per_second": round(
                figures["article", "first visit", 32].requests_per_second
            ),
        }
        print(json.dumps(summary))


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
def serving(folder: Path, environment: dict[str, str]) -> Iterator[Site]:
    """Starts the servers."""
    paths = folder / "paths"
    paths.write_text(python(environment, COPY, str(COPIES)))
    article = paths.read_text().splitlines()[0]
    ports = [free_port() for _ in range(4)]
    stored, nothing_stored, *of_nginx = (f"http://127.0.0.1:{port}" for port in ports)
    web = [sys.executable, "-m", "newsroom.web", "--workers", str(WORKERS), "--bind"]
    with contextlib.ExitStack() as stack:

        def start(name: str, command: list[str], **more: str) -> None:
            stack.enter_context(
                process_manager.running({name: command}, {**environment, **more}, folder / name)
            )

        start("stored", [*web, f"127.0.0.1:{ports[0]}"])
        start("nothing-stored", [*web, f"127.0.0.1:{ports[1]}"], PAGE_CACHE_MB="0")
        for address in (stored, nothing_stored):
            process_manager.wait_until_ready(address + "/healthz", [])
        for path, address, port in zip((article, HOME), of_nginx, ports[2:], strict=True):
            start(f"nginx-{port}", nginx(folder / str(port), port, stored + path))
            process_manager.wait_until_ready(address + "/page", [])
        addresses = {
            page: address + "/page"
            for page, address in zip(("article", "home"), of_nginx, strict=True)
        }
        yield Site(stored, nothing_stored, addresses, environment, paths, article)


def nginx(folder: Path, port: int, address: str) -> list[str]:
    """Saves a response; returns the command that serves it as /page."""
    (folder / "www").mkdir(parents=True)
    with ask(address) as answer:
        (folder / "www" / "page").write_bytes(answer.read())
        headers = "\n".join(
            f"add_header {name} {json.dumps(value)};"
            for name, value in answer.headers.items()
            if name.title() not in HEADERS_OF_NGINX
        )
    words = {"folder": folder, "port": port, "workers": WORKERS, "headers": headers}
    (folder / "nginx.conf").write_text(NGINX % words)
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def python(environment: dict[str, str], script: str, *arguments: str) -> str:
    """Runs a script with Django set up; returns its output."""
    whole = "import django\ndjango.setup()\n" + script
    environment = {**environment, "DJANGO_SETTINGS_MODULE": "newsroom.settings"}
    command = [sys.executable, "-c", whole, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def ask(
    address: str, **headers: str
) -> contextlib.AbstractContextManager[urllib.request.addinfourl]:
    """Raises for anything but a success."""
    request = urllib.request.Request(address, headers=dict([BEHIND_TLS], **headers))
    return urllib.request.urlopen(request, timeout=60)


# --- Measuring ---------------------------------------------------------------------------

CHANGE = """
from articles.models import SiteSettings
from django.db.models import F
SiteSettings.objects.update(tagline_be="{}")
"""
CHANGES = """
import itertools, time
from articles.models import SiteSettings
print("begun", flush=True)
for number in itertools.count():
    SiteSettings.objects.update(tagline_be=f"Number {number}")
    time.sleep(0.1)
"""


def measure(site: Site, rounds: int, seconds: int) -> dict[Key, Measurement]:
    """Medians by page, kind and connections."""
    found: dict[Key, list[Measurement]] = defaultdict(list)
    article = site.article
    for _round in range(rounds):
        for connections in CONNECTIONS:

            def note(page: str, what: str, *about: str, n: int = connections) -> None:
                found[page, what, n].append(wrk(n, seconds, *about))

            for page, path in (("article", article), ("home", HOME)):
                wrk(connections, 1, site.stored + path)
                note(page, "stored", site.stored + path)
                note(page, "nginx", site.nginx[page])
            python(site.environment, CHANGE.format(secrets.token_hex(4)))
            # Renders the shared fragments by requesting other pages.
            wrk(connections, 2, site.stored + "/be/weeks/")
            wrk(connections, 1, site.stored + article)
            note("article", "first visit", site.stored + article, str(site.paths))
            drain(site.stored)
            with changing(site.environment):
                note("home", "after a change", site.stored + HOME)
            for page, path in (("article", article), ("home", HOME)):
                note(page, "nothing stored", site.nothing_stored + path)
                drain(site.nothing_stored)
    return {key: median(rows) for key, rows in found.items()}


@contextlib.contextmanager
def changing(environment: dict[str, str]) -> Iterator[None]:
    """Changes the tagline, which the home page shows, ten times a second."""
    whole = "import django\ndjango.setup()\n" + CHANGES
    environment = {**environment, "DJANGO_SETTINGS_MODULE": "newsroom.settings"}
    with subprocess.Popen(
        [sys.executable, "-c", whole], env=environment, cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def drain(site: str) -> None:
    """Waits until the server has answered the requests that wrk left behind."""
    for _worker in range(4 * WORKERS):
        with ask(site + "/healthz"):
            pass


def wrk(connections: int, seconds: int, address: str, paths: str = "") -> Measurement:
    """One run; with a file of paths, each is requested in turn."""
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["--timeout", "60s", "-H", ": ".join(BEHIND_TLS)]
    if paths:
        command += ["-s", str(PATHS)]
    command += [address, "--", paths]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"{address} was not always answered:\n{output}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert rate is not None, output
    return Measurement(float(rate[1]), percentile(output, 50), percentile(output, 99))


def percentile(output: str, which: int) -> float:
    """In milliseconds, from wrk's output."""
    found = re.search(rf"\s{which}%\s+([\d.]+)(us|ms|s)\b", output)
    assert found is not None, output
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def median(rows: list[Measurement]) -> Measurement:
    """Of each figure by itself."""
    return Measurement(
        *(statistics.median(column) for column in zip(*map(values, rows), strict=True))
    )


def values(row: Measurement) -> tuple[float, ...]:
    """In the order of the fields."""
    return tuple(asdict(row).values())


def first_visit(site: str, path: str) -> dict[str, int]:
    """Compressed size of the page and its assets, in bytes."""
    found = {"page": size_of(site + path)}
    with ask(site + path) as answer:
        assets = ASSET.findall(answer.read().decode())
    return found | {asset: size_of(site + asset) for asset in assets}


def size_of(address: str) -> int:
    """Compressed, in bytes."""
    with ask(address, **{"Accept-Encoding": "gzip"}) as answer:
        body = answer.read()
        assert answer.headers["Content-Encoding"] != "gzip" or gzip.decompress(body)
        return len(body)


def print_figures(database: str, figures: dict[Key, Measurement]) -> None:
    """A table that marks missed targets."""
    print(f"{WORKERS} workers, {database}")
    print(f"{'':26}{'connections':>12}{'of nginx':>10}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}")
    for (page, what, connections), found in figures.items():
        share = found.requests_per_second / figures[page, "nginx", connections].requests_per_second
        missed = found.requests_per_second < TARGETS.get((page, what, connections), 0)
        if (page, what, connections) == ("article", "stored", 32):
            missed |= share < RATIO_TO_NGINX
        print(
            f"{page + ', ' + what:26}{connections:12}{share:10.3f}"
            f"{found.requests_per_second:12.0f}{found.p50_ms:9.1f}{found.p99_ms:9.1f}"
            f"{'  MISSED' if missed else ''}"
        )


if __name__ == "__main__":
    main()
