"""No personal data in the logs of any kind of process."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils.log import AdminEmailHandler
from pytest_django.fixtures import Settings

from demo import process_manager
from demo.process_manager import Process
from keys import tokens
from keys.tokens import TokenKind
from newsletter.public.urls import urlpatterns
from newsletter.subscribers import sign_up
from newsroom import log_redaction
from tests.factories import make_edition
from tests.newsroom.raising import ADDRESS, IPV4, IPV6, TOKEN, VISITOR_DATA, fail
from tests.services import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
RAISING = "tests.newsroom.raising"


def assert_names_nobody(said: str) -> None:
    """Not whole, not in pieces, not in another notation."""
    folded = said.casefold()
    for secret in (ADDRESS, "planted", "reader+news", "%2bnews", IPV4, IPV6, "c0ff:ee", TOKEN):
        assert secret.casefold() not in folded, said


PAGES_WITH_TOKEN = [page for page in urlpatterns if "token" in page.pattern.converters]


@pytest.mark.parametrize("page", PAGES_WITH_TOKEN, ids=lambda page: page.name)
@pytest.mark.parametrize(
    "broken", ["{0}{1}", "{0}{1}x", "{0}{1}==", "{0}", "{1}", "{0} {1}", "{0}%20{1}", "{0}/{1}"]
)
def test_a_token_in_a_path_is_masked_and_every_piece_of_it(
    caplog: pytest.LogCaptureFixture, page: URLPattern, broken: str
) -> None:
    token = tokens.make_token(TokenKind.LETTER, 1, 2)
    path = reverse(page.name, args=["en", token])
    said = path.replace(token, broken.format(token[:22], token[22:]))
    for form in (said, said.upper(), said.replace("/", "%2F")):
        logging.getLogger("anybody").warning("Not Found: %s", form)
    assert f"Not Found: {path.partition(token)[0]}[token]" in caplog.text
    for piece in (token[:22], token[22:]):
        assert piece not in caplog.text.lower()


@pytest.mark.parametrize("cut", range(14))
def test_what_is_left_of_a_cut_token_is_masked_anywhere(cut: int) -> None:
    """So much of it can be guessed."""
    token = tokens.make_token(TokenKind.RETURN_PATH, 1, 0)
    assert (
        log_redaction.redact(f"to <b-{token[cut:]}@bounces.example>")
        == "to <b-[token]@bounces.example>"
    )
    assert log_redaction.redact(f"b-{token[: len(token) - cut]}") == "b-[token]"


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("RCPT TO:<planted@example.org>", "RCPT TO:<[address]>"),
        ("{'to': 'planted@example.org'}", "{'to': '[address]'}"),
        ("O'Hara+a.b@Example.ORG, x_y@b.c", "[address], [address]"),
        (
            "/en/subscribe/?email=planted%40example.org&edition=en",
            "/en/subscribe/?[address]&edition=en",
        ),
        ("/en/planted%2540example.org/", "/en/[address]/"),
        ("чытач@пошта.бел", "[address]"),
        ("%D1%87%40%D0%BF.%D0%B1", "[address]"),
        ("planted@\\u043f\\u043e.\\u0431", "[address]"),
        ("planted@ was cut", "[address] was cut"),
        ("mailto:planted@[198.51.100.7]", "mailto:[address]]"),
        ("from 198.51.100.7.", "from [ip]."),
        ("('198.51.100.7', 443)", "('[ip]', 443)"),
        ("198.51.100.7:51000", "[ip]:51000"),
        ("ip=2001:db8::7: refused", "ip=[ip]: refused"),
        ("ip:2001:DB8::7.", "ip:[ip]."),
        ("http://[2001:db8::7]:80/", "http://[[ip]]:80/"),
        ("::ffff:198.51.100.7", "[ip]"),
        ("1:2:3:4:5:6:7:8", "[ip]"),
        ("redis://:password@cache:6379/0", "redis://:[address]:6379/0"),
    ],
)
def test_personal_data_is_redacted(said: str, masked: str) -> None:
    assert log_redaction.redact(said) == masked
    assert log_redaction.redact(masked) == masked


@pytest.mark.parametrize(
    "said",
    [
        "Listening at: http://127.0.0.1:8000 (17)",
        "Listening at: http://[::1]:8000, http://0.0.0.0:80 and [::]:80",
        "The relay smtp.example.org:587 broke off (421). Its letters wait.",
        "2026-11-23 07:00:00,123 at 12:34:56",
        "tests/test_x.py::test_name of django 5.2.19",
        "    @transaction.atomic",
        "Task newsletter.tick[0b0a4d3e-8c43-4f0e-9a39-5a3c1e5b2a10] succeeded",
    ],
)
def test_operational_details_are_not_redacted(said: str) -> None:
    assert log_redaction.redact(said) == said


def test_an_exception_is_masked_with_all_that_caused_it(caplog: pytest.LogCaptureFixture) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("anybody").exception("It failed for %s", VISITOR_DATA)
    for part in ("KeyError", "OSError: 550 5.1.1 <[address]>", "ValueError", "Note of <[address]>"):
        assert part in caplog.text
    assert_names_nobody(caplog.text)


def test_a_record_keeps_nothing_that_another_handler_could_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("anybody").exception("It failed for %(whom)s", {"whom": VISITOR_DATA})
    [record] = caplog.records
    assert record.exc_info is None
    assert "[address]" in str(record.exc_text)
    assert_names_nobody(repr(vars(record)))


def test_arguments_that_do_not_fit_are_not_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("anybody").warning("Two %s %s", VISITOR_DATA)
    assert "Two %s %s (with arguments that do not fit)" in caplog.text
    assert_names_nobody(caplog.text + capsys.readouterr().err)


@pytest.fixture
def environment(tmp_path: Path, keys_dir: Path) -> dict[str, str]:
    """A newsroom of its own, as the processes of `make run` have it."""
    ours = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "VAR_DIR": str(tmp_path / "var"),
        "DATABASE_URL": f"sqlite:///{tmp_path}/test.sqlite3",
        "PYTHONPATH": str(ROOT),
    }
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
    return {**kept, **ours}


@contextlib.contextmanager
def process(command: str, environment: dict[str, str]) -> Iterator[Process]:
    """Runs it; its log is there to be read until the end of the test."""
    folder = Path(environment["HOME"]) / "log"
    with process_manager.running({"it": command.split()}, environment, folder) as [started]:
        yield started


def said_by(started: Process) -> str:
    return started.log.read_text(encoding="utf-8")


def wait_until_said(started: Process, *words: str) -> None:
    wait_for(lambda: all(word in said_by(started) for word in words), f"{words} in {started.log}")


QUERY = f"?email={ADDRESS.replace('@', '%40')}&ip={IPV4}"
HEADERS = f"X-Forwarded-For: {IPV4}, {IPV6}\r\nReferer: /en/letter/{TOKEN}/\r\nConnection: close"
HOST = f"Host: localhost\r\n{HEADERS}"
OF_THIS_TEST = "127.77.0.7"
"""An address of this machine, which the kernel tells the server."""
# Those that the server alone answers.
NO_HTTP = [
    f"GET /en/{TOKEN}/{QUERY} HTTP/9.9\r\n{HOST}",
    f"GET /en/{TOKEN}/{ADDRESS} {IPV6} HTTP/1.1\r\n{HOST}",
    f"GET / HTTP/1.1\r\n{ADDRESS} {IPV4}: none\r\n{HOST}",
    f"GET / HTTP/1.1\r\nX-Reader: {ADDRESS}\x00{IPV4}\r\n{HOST}",
    f"POST / HTTP/1.1\r\nContent-Length: {ADDRESS}\r\n{HOST}",
    f"GET /{ADDRESS * 200} HTTP/1.1\r\n{HOST}",  # too long a line
]
FAILING = [
    f"GET /en/letter/{TOKEN}/{QUERY} HTTP/1.1\r\n{HOST}",  # Django's 500
    f"POST /none/{TOKEN}x/{ADDRESS}/{QUERY} HTTP/1.1\r\n{HOST}",  # its 404, which asks no database
    f"GET /en/{TOKEN}/ HTTP/1.1\r\nHost: {ADDRESS}_{IPV4}\r\n{HEADERS}",  # DisallowedHost
    f"GET /warn/{QUERY} HTTP/1.1\r\n{HOST}",
    f"GET /outside/{TOKEN}/{QUERY} HTTP/1.1\r\n{HOST}",  # the server's 500
]


def said_when_served(requests: list[str], environment: dict[str, str]) -> str:
    """What the web process's log has once it has answered all of them."""
    port = free_port()
    command = f"python -m {RAISING} --bind 127.0.0.1:{port} --workers 1"
    with process(command, environment) as web:
        wait_until_said(web, "Started worker-1")
        for request in requests:
            with socket.create_connection(("127.0.0.1", port), 10, (OF_THIS_TEST, 0)) as client:
                client.sendall(request.encode() + b"\r\n\r\n")
                while client.recv(65536):
                    pass
    said = said_by(web)
    assert OF_THIS_TEST not in said
    assert_names_nobody(said)
    return said


@pytest.mark.long
@pytest.mark.parametrize("debug", ["0", "1"])
def test_server_and_django_name_nobody_on_any_path(environment: dict[str, str], debug: str) -> None:
    said = said_when_served(FAILING + NO_HTTP, {**environment, "DEBUG": debug})
    assert "Internal Server Error: /en/letter/[token]" in said
    assert "Not Found: /none/[token]/[address]/" in said
    assert "DisallowedHost: Invalid HTTP_HOST header" in said
    assert "RuntimeWarning: <[address]> from [ip] and [ip] with [token]" in said
    assert "Application callable raised an exception" in said
    assert said.count("Note of <[address]>") >= 2
    assert "GET" not in said  # no access log


@pytest.mark.long
def test_a_worker_names_nobody_whatever_its_tasks_do(environment: dict[str, str]) -> None:
    send = f"""
from {RAISING} import *
chained.delay(VISITOR_DATA)
unpicklable.delay()
chatty.delay()
app.send_task("nobody.knows.it", [VISITOR_DATA])
"""
    subprocess.run([sys.executable, "-c", send], env=environment, cwd=ROOT, check=True)
    command = f"celery -A {RAISING} worker --concurrency 2 --without-gossip --without-mingle"
    with process(command, environment) as worker:
        wait_until_said(
            worker,
            "Task raising.chained",
            "Unpicklable",
            "Received unregistered task",
            "Task raising.chatty[",
            "RuntimeWarning",
        )
    said = said_by(worker)
    assert said.count("<[address]> from [ip] and [ip] with [token]") >= 6
    assert "Note of <[address]>" in said
    # Django's configuration of the lines, not Celery's own.
    assert "INFO celery.app.trace: Task raising.chatty[" in said
    assert_names_nobody(said)


@pytest.mark.long
def test_beat_names_nobody_when_it_ends(environment: dict[str, str]) -> None:
    command = f"celery -A {RAISING} beat --scheduler {RAISING}:RaisingScheduler"
    with process(command, environment) as beat:
        wait_until_said(beat, "beat raised exception", "Note of <[address]>")
    assert_names_nobody(said_by(beat))


@pytest.mark.long
def test_a_command_that_fails_names_nobody(environment: dict[str, str]) -> None:
    """Whatever ends a process, a thread or a finaliser."""
    script = f"""
import threading
from {RAISING} import *
class Finalised:
    __del__ = fail
Finalised()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", script]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.count("Note of <[address]>") == 3
    assert_names_nobody(ended.stdout + ended.stderr)


@pytest.mark.django_db
def test_the_page_about_an_exception_and_its_mail_name_nobody(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of ours sends that mail or shows that page; somebody may turn them on."""
    settings.ADMINS = [("Admin", "admin@newsroom.example")]
    settings.DEBUG = True
    make_edition()
    monkeypatch.setattr(sign_up, "sign_up", fail)
    client.raise_request_exception = False
    handler = AdminEmailHandler(include_html=True)
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        answer = client.post(
            f"/en/subscribe/?email={ADDRESS}",
            {"email": ADDRESS, "edition": "en"},
            REMOTE_ADDR=IPV4,
            headers={"X-Forwarded-For": IPV6, "Cookie": f"c={TOKEN}", "Referer": f"/{TOKEN}/"},
        )
    finally:
        logger.removeHandler(handler)
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "Key (email)=([address]) already exists" in page
    assert_names_nobody(page)
    [sent] = mail.outbox
    [(html, _kind)] = sent.alternatives
    assert "Internal Server Error: /en/subscribe/" in sent.subject
    assert_names_nobody(sent.subject + str(sent.body) + str(html))


@pytest.mark.django_db
def test_a_page_about_undecodable_text_shows_none_of_it(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    make_edition()

    def undecodable(*_args: object, **_more: object) -> None:
        ADDRESS.replace("reader", "réader").encode("ascii")

    monkeypatch.setattr(sign_up, "sign_up", undecodable)
    client.raise_request_exception = False
    answer = client.post("/en/subscribe/", {"email": ADDRESS, "edition": "en"})
    assert "UnicodeEncodeError" in answer.content.decode()
    assert_names_nobody(answer.content.decode())
