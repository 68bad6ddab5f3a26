"""The files for nginx as nginx itself runs them, before a site that says what reached it."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib import admin

from core.http import MAX_FORM_BYTES, MAX_TEXT_FORM_BYTES
from staff.base_admin import BaseModelAdmin
from tests.services import ServiceNotInstalled, free_port, listens, program, skip_or_fail, wait_for
from tests.stack.compose import ROOT

MAIN, MIRROR = "news.example.org", "mirror.example.net"
ADDRESS = "X-Test-Address"
"""Who nginx is to take the client for: on this machine it is always this machine."""
PACE = "X-Sign-Up-Pace"
HTTP = """
daemon off;
{user}
pid {folder}/pid;
error_log stderr emerg;
events {{}}
http {{
    # As Debian's own file has them.
    access_log {folder}/access.log;
    error_log {folder}/error.log;
    set_real_ip_from 127.0.0.1;
    real_ip_header {address};
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/nginx.conf;
}}
"""


class Site(BaseHTTPRequestHandler):
    """Answers with the request, and notes that it came before its body is read."""

    protocol_version = "HTTP/1.1"
    began: Queue[str] = Queue()

    def answer(self) -> None:
        self.began.put(self.path)
        read = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        body = json.dumps({"path": self.path, "read": read, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 — http.server's names

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Says nothing of a client that has gone before its answer."""

    def handle_error(self, *_about: Any) -> None:
        """Nothing."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reached(self) -> dict[str, Any]:
        """The request as the site got it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Proxy(NamedTuple):
    folder: Path
    plain: int
    tls: int

    def connect(self, name: str | None) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", self.tls), timeout=20)
        return context.wrap_socket(raw, server_hostname=name)

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        name: str = MAIN,
        host: str = "",
        tls: bool = True,
        address: str = "203.0.113.9",
        **headers: str,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=20)
        if tls:
            connection.sock = self.connect(name)
        sent = {"Host": host or name, ADDRESS: address, **headers}
        connection.request("POST" if body is not None else "GET", path, body, sent)
        with contextlib.closing(connection), connection.getresponse() as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())

    def sign_up(self, address: str, **headers: str) -> str:
        """What the site is told of one more sign-up from there."""
        answer = self.ask("/be/subscribe/", b"email=x", address=address, **headers)
        return str(answer.reached["headers"][PACE])


def make_certificate(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    live = folder / "live" / name
    live.mkdir(parents=True)
    (live / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (live / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def adapt(name: str, folder: Path, site: int, plain: int, tls: int) -> None:
    """A file of ours, with this machine's ports and paths."""
    text = (ROOT / "deploy" / name).read_text()
    text = re.sub(r"listen \[::\].*\n", "\n", text)
    text = text.replace("listen 80", f"listen 127.0.0.1:{plain}")
    text = text.replace("listen 443", f"listen 127.0.0.1:{tls}")
    text = text.replace("/etc/letsencrypt", str(folder))
    text = text.replace("/etc/nginx/newsroom-pages.conf", str(folder / "nginx-pages.conf"))
    text = text.replace("/var/log/nginx", str(folder))
    (folder / name).write_text(text.replace("127.0.0.1:8000", f"127.0.0.1:{site}"))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    try:
        nginx = program("nginx")
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)
    site = Server(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    found = Proxy(folder, free_port(), free_port())
    for name in (MAIN, MIRROR):
        make_certificate(folder, name)
    for name in ("nginx.conf", "nginx-pages.conf"):
        adapt(name, folder, site.server_port, found.plain, found.tls)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "http.conf").write_text(HTTP.format(folder=folder, user=user, address=ADDRESS))
    running = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "http.conf")])
    try:
        wait_for(lambda: listens(found.plain) and listens(found.tls), "nginx")
        yield found
    finally:
        running.terminate()
        running.wait(20)
        site.shutdown()
        site.server_close()


# --- Names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [MAIN, MIRROR])
def test_plain_http_is_led_to_tls_under_the_same_name(proxy: Proxy, name: str) -> None:
    answer = proxy.ask("/be/weeks/?a=b", tls=False, name=name)
    assert answer.status == 301
    assert answer.headers["Location"] == f"https://{name}/be/weeks/?a=b"


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example", "x" * 60])
def test_who_asks_for_no_name_of_ours_learns_none(proxy: Proxy, name: str) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        proxy.ask("/", tls=False, name=name)
    for asked in (None, name):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            proxy.connect(asked)


@pytest.mark.parametrize("name", [MAIN, MIRROR])
def test_each_name_has_a_certificate_of_its_own_that_names_no_other(
    proxy: Proxy, name: str
) -> None:
    with proxy.connect(name) as secured:
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == [name]


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/articles/article/add/"])
def test_admin_paths_on_a_mirror_reach_the_site(proxy: Proxy, path: str) -> None:
    """Which has no such page there; see tests/staff/test_hosts.py."""
    answer = proxy.ask(path, name=MIRROR)
    assert answer.status == 200
    assert answer.reached["path"] == path
    assert answer.reached["headers"]["Host"] == MIRROR
    assert "X-Forwarded-For" not in answer.reached["headers"]


def test_only_the_staffs_addresses_reach_the_site(proxy: Proxy) -> None:
    for path, seen in (("/be/", None), ("/be/subscribe/", None), ("/admin/", "203.0.113.9")):
        forged = {"X-Forwarded-For": "192.0.2.1"}
        answer = proxy.ask(path, **forged)
        assert answer.reached["headers"].get("X-Forwarded-For") == seen, path
        assert answer.reached["headers"]["X-Forwarded-Proto"] == "https"


# --- Pace ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_one_network_that_floods_is_too_fast_and_nobody_else_is(proxy: Proxy) -> None:
    flood = [proxy.sign_up("198.51.100.1") for _ in range(30)]
    assert flood[:10] == ["PASSED"] * 10
    assert flood.count("REJECTED_DRY_RUN") > 10
    assert [proxy.sign_up(f"198.51.100.{number}") for number in range(2, 8)] == ["PASSED"] * 6


@pytest.mark.long
def test_an_ipv6_customer_is_one_client_whatever_the_rest_of_the_address(proxy: Proxy) -> None:
    """Also where bytes of the address are a line break or nothing."""
    for network in ("2001:db8:1:2", "2001:db8:a0a:0a0a", "2001:db8:0:0"):
        own = [f"{network}:{number:x}:a0a:0:{number + 9:x}" for number in range(12)]
        assert [proxy.sign_up(one) for one in own].count("REJECTED_DRY_RUN") >= 1, network
    assert proxy.sign_up("2001:db8:1:3::1") == "PASSED"
    assert proxy.sign_up("2001:db8:a0a:0a0b::1") == "PASSED"


def test_no_client_says_by_itself_how_fast_it_is(proxy: Proxy) -> None:
    for _ in range(12):
        said = proxy.sign_up("198.51.100.200", **{PACE: "PASSED"})
    assert said == "REJECTED_DRY_RUN"


def test_looking_at_the_form_is_not_counted(proxy: Proxy) -> None:
    for _ in range(20):
        proxy.ask("/be/subscribe/", address="198.51.100.201")
    assert proxy.sign_up("198.51.100.201") == "PASSED"


# --- Bodies -------------------------------------------------------------------------------------


def refused(proxy: Proxy, path: str, length: int) -> bool:
    """Whether nginx refuses a form of so many bytes by its head alone."""
    head = f"POST {path} HTTP/1.1\r\nHost: {MAIN}\r\nContent-Length: {length}\r\n\r\n"
    with proxy.connect(MAIN) as secured:
        secured.sendall(head.encode())
        secured.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            return b" 413 " in secured.recv(100)
    return False


@pytest.mark.parametrize(
    "path", ["/be/search/", "/be/subscribe/", "/admin/account/login/", "/admin/", "/admin"]
)
def test_a_form_is_as_small_as_the_sites_own(proxy: Proxy, path: str) -> None:
    assert proxy.ask(path, b"x" * MAX_FORM_BYTES).reached["read"] == MAX_FORM_BYTES
    assert refused(proxy, path, MAX_FORM_BYTES + 1)


def test_texts_and_pictures_are_let_through_where_the_site_takes_them(proxy: Proxy) -> None:
    """And no more of the admin: the admin's own classes say which take them."""
    registered = [one for one in admin.site._registry.values() if isinstance(one, BaseModelAdmin)]
    large = {one for one in registered if one.max_body_bytes == MAX_TEXT_FORM_BYTES}
    assert len(large) == 4
    for one in registered:
        if one.opts.model_name == "import":
            continue
        path = f"/admin/{one.opts.app_label}/{one.opts.model_name}/add/"
        assert refused(proxy, path, MAX_TEXT_FORM_BYTES) == (one not in large), path
    # The site is to say itself what is too much, with a page.
    assert not refused(proxy, "/admin/articles/article/add/", MAX_TEXT_FORM_BYTES + 1)
    assert refused(proxy, "/admin/articles/article/add/", MAX_TEXT_FORM_BYTES + 2 * 2**20)


@pytest.mark.parametrize("path", ["/admin/articles/picture/add/", "/admin/newsletter/import/add/"])
def test_the_site_may_refuse_a_large_form_before_it_has_come(proxy: Proxy, path: str) -> None:
    """And nothing of it lies on nginx's disk meanwhile."""
    while not Site.began.empty():
        Site.began.get()
    head = f"POST {path} HTTP/1.1\r\nHost: {MAIN}\r\nContent-Length: {MAX_TEXT_FORM_BYTES}\r\n\r\n"
    with proxy.connect(MAIN) as secured:
        secured.sendall(head.encode() + b"x" * 2 * 2**20)
        assert Site.began.get(timeout=20) == path
        assert not any((proxy.folder / "bodies").iterdir())


# --- What is kept -------------------------------------------------------------------------------


def test_nginx_logs_no_visitor(proxy: Proxy) -> None:
    """Not even by the logs that its main file has for all."""
    proxy.ask("/be/planted-path/", address="198.51.100.77")
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        proxy.connect("other.example")
    refused(proxy, "/be/search/", MAX_FORM_BYTES + 1)
    for log in proxy.folder.glob("*.log"):
        assert log.read_text() == "", log.name
