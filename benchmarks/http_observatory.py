"""MDN's HTTP Observatory's grade of the site as production serves it: `make audit`.

Starts the site on a free port of this machine with the demo's articles, over plain HTTP and
over TLS with a certificate of its own making, and runs the Observatory's own scanner on the
home page and on the admin's log-in. Prints each grade and every test that costs
points. Exits with 1 if the home page gets less than A+.

Needs Node 20 and npm; the scanner goes into var/observatory/ without running its install
scripts, which would fetch lists from the world. The list of preloaded hosts is left empty:
it cannot name this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo import process_manager  # noqa: E402

PACKAGE = "@mdn/mdn-http-observatory"
VERSION = "1.4.8"
INSTALLED = ROOT / "var" / "observatory"
SCAN = """
import { scan } from "@mdn/mdn-http-observatory";
console.log(JSON.stringify(await scan(process.argv[2])));
"""
WANTED = "A+"
PAGES = {"the home page": "", "the admin's log-in": "/admin/login/"}
TLS_HANDSHAKE = b"\x16"


def main() -> None:
    """The entry."""
    scanner = install()
    with (
        tempfile.TemporaryDirectory(prefix="observatory-") as folder,
        serving(Path(folder)) as site,
    ):
        results = {name: scan(scanner, site + path, Path(folder)) for name, path in PAGES.items()}
    for name, result in results.items():
        print(report(name, result))
    grades = [result["scan"]["grade"] for result in results.values()]
    sys.exit(0 if grades[0] == WANTED else 1)


# --- The scanner -------------------------------------------------------------------------


def install() -> Path:
    """Puts the scanner where it is not yet; returns the script that runs it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed. The Observatory needs Node 20 or newer.")
    package = INSTALLED / "node_modules" / PACKAGE
    if not package.is_dir():
        print("Installing the Observatory into var/observatory/", flush=True)
        INSTALLED.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--ignore-scripts", "--omit=optional", "--no-audit"]
        command += ["--no-fund", "--silent", "--prefix", str(INSTALLED), f"{PACKAGE}@{VERSION}"]
        subprocess.run(command, check=True)
    preloaded = package / "conf" / "hsts-preload.json"
    if not preloaded.exists():
        preloaded.write_text("{}")
    script = INSTALLED / "scan.mjs"
    script.write_text(SCAN)
    return script


def scan(scanner: Path, address: str, folder: Path) -> dict[str, Any]:
    """What the scanner found at the address; it trusts our certificate and no other new one."""
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(folder / "certificate.pem")}
    done = subprocess.run(
        ["node", str(scanner), address], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"The scanner failed on {address}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(name: str, result: dict[str, Any]) -> str:
    """The grade, and each test that took points or gave some."""
    scanned = result["scan"]
    lines = [
        f"{name}: {scanned['grade']}, {scanned['score']} points, "
        f"{scanned['testsPassed']} of {scanned['testsQuantity']} tests passed"
    ]
    for title, test in result["tests"].items():
        points = test.get("scoreModifier") or 0
        if points or not test["pass"]:
            mark = "ok  " if test["pass"] else "FAIL"
            lines.append(f"  {mark} {points:+4d} {title}: {test['result']}")
    return "\n".join(lines)


# --- The site as production serves it ----------------------------------------------------


@contextlib.contextmanager
def serving(folder: Path, *commands: tuple[str, ...]) -> Iterator[str]:
    """Starts it; yields host and port, where plain HTTP and TLS are both answered.

    `commands` are run first, on the demo's articles.
    """
    make_certificate(folder)
    plain, tls, front = free_ports(3)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "VAR_DIR": str(folder / "var"),
        "STATIC_ROOT": str(folder / "static"),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SITE_URL": f"https://localhost:{front}",
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(9),
    }
    prepare(environment, *commands)
    environment |= {
        "PRODUCTION": "1",
        "WORKER_KEY_FILE": "none",
        "ALLOWED_HOSTS": "localhost",
        "RELAY_URL": "smtp://localhost:25",
        "DATABASE_URL": f"sqlite:///{folder / 'var' / 'newsroom.sqlite3'}",
    }
    manage(environment, "collectstatic", "--noinput")
    web = [sys.executable, "-c", SERVE, str(folder)]
    commands = {"plain": [*web, str(plain), ""], "tls": [*web, str(tls), "tls"]}
    with process_manager.running(commands, environment, folder / "log") as processes:
        process_manager.wait_until_ready(f"http://127.0.0.1:{plain}/healthz", processes)
        wait_for_port(tls, processes)
        with protocol_mux(front, plain=plain, tls=tls):
            yield f"localhost:{front}"


def prepare(environment: dict[str, str], *commands: tuple[str, ...]) -> None:
    """Tables and the demo's articles. The worker's key is gone before the web process starts."""
    manage(environment, "make_keys")
    manage(environment, "migrate")
    manage(
        environment,
        *("createsuperuser", "--noinput", "--username", "editor", "--email", "editor@example.org"),
    )
    manage(environment, "load_demo", "--owner", "editor")
    for command in commands:
        manage(environment, *command)
    (Path(environment["VAR_DIR"]) / "keys" / "worker.key").unlink()


def manage(environment: dict[str, str], *words: str) -> None:
    """Runs one of the project's commands."""
    command = [sys.executable, str(ROOT / "manage.py"), *words, "--verbosity", "0"]
    subprocess.run(command, env=environment, check=True)


SERVE = """
import sys
from pathlib import Path
from newsroom.server import serve
from newsroom.wsgi import application
folder, port, tls = sys.argv[1:]
files = {"ssl_cert": Path(folder, "certificate.pem"), "ssl_key": Path(folder, "key.pem")}
serve(application, f"127.0.0.1:{port}", 1, **(files if tls else {}))
"""


def make_certificate(folder: Path) -> None:
    """For localhost, signed by itself, for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def wait_for_port(port: int, processes: list[process_manager.Process]) -> None:
    """Until somebody takes connections there; raises CannotRun if a process ends meanwhile."""
    while True:
        process_manager.check_all(processes)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return


@contextlib.contextmanager
def protocol_mux(port: int, *, plain: int, tls: int) -> Iterator[None]:
    """Answers HTTP and TLS on one port, since the scanner takes one name for both.

    A TLS client speaks first, and its first byte is always the same.
    """

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        behind = tls if first == TLS_HANDSHAKE else plain
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        back.write(first)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started = asyncio.start_server(connect, "127.0.0.1", port)
    asyncio.run_coroutine_threadsafe(started, loop).result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


if __name__ == "__main__":
    try:
        main()
    except process_manager.ProcessError as error:
        sys.exit(str(error))
