"""Guarantee 6: a seized disk shows no subscriber.

Planted addresses go through sign-up, confirmation, a mailing with failures, an unsubscribe, and an
exception in each process. Then everything on the disk except the keys is searched for them. (What
stays readable by design names nobody: edition, provider code, status and times.)
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.weeks import Week
from demo.mail_catcher.catcher import Catcher
from demo.mail_catcher.letters import Letter
from tests.needles import of_address, of_ip, of_text, of_token, search
from tests.newsletter.bounces.mails import dsn, written
from tests.newsletter.relays import ScriptedRelay, hang_up, once
from tests.newsroom_processes import (
    ROOT,
    Embedded,
    NewsroomProcesses,
    Servers,
    WebResponse,
    running_newsroom,
)
from tests.services import (
    ServiceNotInstalled,
    running_postgresql,
    running_redis,
    skip_or_fail,
    wait_for,
)

pytestmark = pytest.mark.long

# As typed; each goes through a case of its own.
UNSUBSCRIBES = "planted-leaves.k3v9@example.org"
GONE = "Planted-Gone.Q7x2+news@Example.COM"
LATER = "planted-later.w5z8@planted-пошта.бел"
UNCERTAIN = "PLANTED-UNCERTAIN.J4M6@EXAMPLE.NET"
NO_SUCH = "planted_nosuch'h2b1@planted-domain.example"
FORGOTTEN = "planted-forgotten.m2n4@example.org"
LOOKED_UP = "planted-asked-about.d8f3@example.com"
IMPORTED = "planted-imported.v7c5@example.net"
BAD_LINE = "planted-bad-line.x4w8@planted_domain.example"
WRITES = "planted-writes.h9k2@example.org"
UNLUCKY = "planted-unlucky.r6t1@gmail.com"
SIGNED_UP = (UNSUBSCRIBES, GONE, LATER, UNCERTAIN, FORGOTTEN, NO_SUCH)
CONFIRMING = (UNSUBSCRIBES, GONE, LATER, UNCERTAIN, FORGOTTEN)
EVERYBODY = (*SIGNED_UP, LOOKED_UP, IMPORTED, WRITES, UNLUCKY)

SOUGHT = "plantedsought7x4q"
IPV4, IPV6, BROWSER = "198.51.100.73", "2001:db8:5eed::7", "PlantedBrowser/9.83"
SOURCES = {address: f"127.83.0.{number}" for number, address in enumerate(EVERYBODY, start=7)}
LOGIN = "/admin/account/login/"
TOKEN = re.compile(r"[a-z2-7]{45}")
LOST = re.compile("Unrecoverable error|Connection to broker lost|Cannot connect to")
CREATE_DIGEST = """
import datetime as dt
from articles.editorial.digest_builder import build_digest
from core.weeks import Week
from tests.factories import make_article, make_edition
week = Week.last_full(dt.datetime.now(dt.UTC).date())
make_edition()
make_article(week=week)
build_digest(week)
"""

REQUEST_LOOKUP = """
import datetime as dt
from newsletter.subscribers.lookup import request_lookup
from tests.factories import make_user
request_lookup(sys.argv[1], make_user(), dt.datetime.now(dt.UTC))
"""
UPLOAD_LIST = """
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from newsletter.models import Edition
from tests.factories import make_user
client = Client()
client.force_login(make_user())
list_ = SimpleUploadedFile("list.csv", "\\n".join(["email", *sys.argv[1:]]).encode())
form = {"file": list_, "edition": Edition.objects.get().pk}
assert client.post("/admin/newsletter/import/add/", form).status_code == 302
"""
REQUEST_APPLY = """
import datetime as dt
from newsletter.imports.apply import request_apply
from newsletter.models import Import
request_apply(Import.objects.get(), None, dt.datetime.now(dt.UTC))
"""
APPLY_RETENTION = """
import datetime as dt
from newsletter.privacy import retention
retention.apply_retention(dt.datetime.now(dt.UTC) + dt.timedelta(days=40))
"""


@pytest.fixture
def own_keys_dir(tmp_path: Path, keys_dir: Path) -> Path:
    """They are rotated on the way."""
    return Path(shutil.copytree(keys_dir, tmp_path / "own-keys"))


@pytest.fixture
def embedded(tmp_path: Path, relay: Catcher, own_keys_dir: Path) -> Any:
    with running_newsroom(tmp_path, Embedded(tmp_path / "var"), relay, own_keys_dir) as built:
        yield built


@pytest.fixture
def on_servers(tmp_path: Path, relay: Catcher, own_keys_dir: Path) -> Any:
    try:
        with (
            running_postgresql() as postgresql,
            running_redis() as redis,
            running_newsroom(tmp_path, Servers(postgresql, redis), relay, own_keys_dir) as built,
        ):
            yield built
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


@pytest.mark.parametrize("stores", ["embedded", "on_servers"])
def test_a_seized_machine_shows_no_subscriber(
    stores: str, request: pytest.FixtureRequest, relay: Catcher
) -> None:
    built: NewsroomProcesses = request.getfixturevalue(stores)
    start_newsroom(built)
    needles = [needle for address in EVERYBODY for needle in of_address(address)]
    for ip in (IPV4, IPV6, *SOURCES.values()):
        needles += of_ip(ip)
    needles += of_text(BROWSER) + of_text(SOUGHT)

    needles += of_token(search_the_site(built))
    sign_up(built)
    check_messages_carry_nothing(built)
    erased = seals_of(built, "newsletter_signup")
    try_staff_login(built)
    assert search(built.seize(), needles) == []

    confirm(built, relay)
    send_digest(built, relay)
    tokens = {token for letter in relay.letters for token in tokens_of(letter)}
    # Of the digests that were taken link, Message-ID and return path. Of each confirmation and
    # welcome its link, and what both Message-ID and return path have; of one second it is the same.
    mails = len(CONFIRMING)
    assert 3 * mails + 3 * 3 <= len(tokens) <= 4 * mails + 3 * 3
    erased += unsubscribe(built, relay)
    tokens.add(forget(built, relay))
    look_up(built)
    import_list(built)
    process_bounces(built, relay)
    erased += rotate_keys(built)
    assert search(built.seize(), needles) == []
    needles += [needle for token in tokens for needle in of_token(token)]
    break_tables_and_broker(built, relay)
    built.stop()
    assert search(built.seize(), needles) == []
    apply_retention(built)
    assert search(built.seize(), needles) == []
    if isinstance(built.stores, Embedded):
        check_erased_is_overwritten(built, erased)
    check_the_search_reaches_everything(built)


def start_newsroom(built: NewsroomProcesses) -> None:
    """Starts web and beat, with an edition and last week's digest, and nobody on the list."""
    built.python(CREATE_DIGEST)
    built.start("web")
    built.start("beat")


def request_as(built: NewsroomProcesses, address: str, method: str, path: str, **more: Any) -> int:
    """One request of one planted subscriber, and its status."""
    return response_as(built, address, method, path, **more).status


def response_as(
    built: NewsroomProcesses, address: str, method: str, path: str, **more: Any
) -> WebResponse:
    """Through a reverse proxy that forwards the client's address."""
    headers = {
        "X-Forwarded-For": f"{IPV4}, {IPV6}",
        "X-Real-IP": IPV4,
        "Forwarded": f'for="[{IPV6}]"',
        "User-Agent": BROWSER,
        "Referer": f"https://mail.example/?to={address}".encode().decode("latin-1"),
        "Cookie": f"address={address}".encode().decode("latin-1"),
        **more.pop("headers", {}),
    }
    return built.ask(method, path, source=SOURCES[address], headers=headers, **more)


def search_the_site(built: NewsroomProcesses) -> str:
    """Searches the site. Returns the token in the URL of the results."""
    path = response_as(built, UNSUBSCRIBES, "POST", "/en/search/", form={"q": SOUGHT}).location
    # Whichever of the web's processes is asked.
    for _ in range(16):
        found = response_as(built, UNSUBSCRIBES, "GET", path)
        assert (found.status, SOUGHT in found.page) == (200, True)
    token = path.split("/")[-2]
    other = token.translate(str.maketrans("ab", "ba"))
    for broken in (f"{path}9/", f"{path}x/", f"/en/search/{other}/", path.upper()):
        assert request_as(built, UNSUBSCRIBES, "GET", f"{broken}?q={SOUGHT}") in {404, 410}
    assert request_as(built, UNSUBSCRIBES, "GET", f"/en/search/?q={SOUGHT}") == 303
    assert request_as(built, UNSUBSCRIBES, "POST", "/en/search/", form={"q": SOUGHT * 20}) == 400
    return token


def sign_up(built: NewsroomProcesses) -> None:
    """With valid and invalid forms, and foreign ones. No worker runs yet."""
    for address in SIGNED_UP:
        form = {"email": address, "edition": "en"}
        assert request_as(built, address, "POST", "/en/subscribe/", form=form) == 302
        broken = {"email": f"{address}@", "edition": "en"}
        assert request_as(built, address, "POST", "/en/subscribe/", form=broken) == 400
    query = f"?email={UNSUBSCRIBES}&edition=en"
    assert request_as(built, UNSUBSCRIBES, "GET", f"/en/subscribe/{query}") == 200
    assert request_as(built, UNSUBSCRIBES, "GET", f"/en/{UNSUBSCRIBES}/{query}") == 404
    assert (
        request_as(built, UNSUBSCRIBES, "GET", f"/en/{query}", headers={"Host": UNSUBSCRIBES})
        == 400
    )
    assert request_as(built, UNSUBSCRIBES, "PUT", f"/en/subscribe/{query}") == 405
    upload = [b'name="edition"\r\n\r\nen', b'name="email"\r\n\r\n' + UNSUBSCRIBES.encode()]
    file = (UNSUBSCRIBES.encode() + b"\r\n") * 100_000
    upload.append(b'name="list"; filename="%b.csv"\r\n\r\n%b' % (UNSUBSCRIBES.encode(), file))
    parts = [b"--limit\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in upload]
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    body = b"".join(parts) + b"--limit--\r\n"
    # Too large for a form: refused before the body is read.
    assert request_as(built, UNSUBSCRIBES, "POST", "/en/subscribe/", body=body, headers=kind) == 413
    small = body.replace(file, UNSUBSCRIBES.encode())
    assert (
        request_as(built, UNSUBSCRIBES, "POST", "/en/subscribe/", body=small, headers=kind) == 302
    )


def try_staff_login(built: NewsroomProcesses) -> None:
    """A subscriber tries the staff login with their address."""
    secret = "c" * 32
    form = {"login": UNSUBSCRIBES, "password": "my password", "csrfmiddlewaretoken": secret}
    cookie = {"Cookie": f"csrftoken={secret}"}
    assert request_as(built, UNSUBSCRIBES, "POST", LOGIN, form=form, headers=cookie) == 200


def check_messages_carry_nothing(built: NewsroomProcesses) -> None:
    """They wait on the real broker, since no worker runs."""
    messages = [
        message
        for message in built.stores.messages()
        if message["headers"]["task"] == "newsletter.take_sign_ups"
    ]
    assert len(messages) == len(SIGNED_UP) + 1
    for message in messages:
        args, kwargs, _embedded = json.loads(base64.b64decode(message["body"]))
        assert args == []
        assert kwargs == {}
        assert message["headers"]["argsrepr"] == "()"
        assert message["headers"]["kwargsrepr"] == "{}"


def confirm(built: NewsroomProcesses, relay: Catcher) -> None:
    """The relay refuses one of them for good, and quotes the address."""
    ScriptedRelay.replies["RCPT"] = replies({NO_SUCH: "550 5.1.1 <{0}> unknown, said {0}"})
    built.start("worker")
    wait_for(lambda: len(relay.letters) == len(CONFIRMING), "the confirmations", 60)
    given_up = "(550 5.1.1): it is given up"
    wait_for(lambda: given_up in built.log("worker"), "the refused confirmation", 60)
    for address in CONFIRMING:
        path = link_in(letter_to(relay, address), "confirm")
        for method, asked in (("GET", path), ("POST", path), ("GET", f"{path}x/"), ("GET", path)):
            request_as(built, address, method, f"{asked}?email={ascii_form(address)}")
    assert count(built, "newsletter_subscriber", "active") == len(CONFIRMING)
    wait_for(lambda: len(relay.letters) == 2 * len(CONFIRMING), "the welcomes", 60)


def send_digest(built: NewsroomProcesses, relay: Catcher) -> None:
    """One mailbox does not exist, one is deferred, one connection breaks after the final dot."""
    ScriptedRelay.replies["RCPT"] = replies(
        {GONE: "550 5.1.1 <{0}> unknown", LATER: "451 4.2.1 <{0}> is asked to wait, {0}"}
    )
    uncertain = normalised(UNCERTAIN)
    lost = once(hang_up)
    ScriptedRelay.replies["KEPT"] = lambda server, about: (
        lost(server, about) if about == uncertain else None
    )
    week = str(Week.last_full(dt.datetime.now(dt.UTC).date()))
    for line in built.manage("digest", "approve", week).splitlines():
        built.manage("mailing", "launch", line.partition(":")[0])

    def settled() -> bool:
        wanted = {"sent": 2, "failed": 1, "uncertain": 1, "retry": 1}
        if all(count(built, "newsletter_delivery", name) == n for name, n in wanted.items()):
            return True
        built.manage("run_due")
        return False

    wait_for(settled, "the week's letters", 120)


def seals_of(built: NewsroomProcesses, table: str) -> list[bytes]:
    """The sealed addresses of a table."""
    return [bytes(row[0]) for row in built.stores.query(f"SELECT sealed_address FROM {table}")]


def unsubscribe(built: NewsroomProcesses, relay: Catcher) -> list[bytes]:
    """One-click (RFC 8058). Returns the sealed addresses that this erases."""
    seals = seals_of(built, "newsletter_subscriber")
    path = link_in(letter_to(relay, UNSUBSCRIBES), "letter")
    half = len(path) // 2
    for broken in (
        f"{path[:-2]}/",
        f"{path[:-1]}x/",
        f"{path[:half]}%20{path[half:]}",
        f"{path}{UNSUBSCRIBES}/",
        path.replace("/", "%2F"),
        path.upper(),
    ):
        request_as(built, UNSUBSCRIBES, "GET", f"{broken}?email={UNSUBSCRIBES}")
    form = {"List-Unsubscribe": "One-Click"}
    assert request_as(built, UNSUBSCRIBES, "GET", path) == 200
    assert request_as(built, UNSUBSCRIBES, "POST", path, form=form) == 200
    assert count(built, "newsletter_subscriber", "left") == 1
    return sorted(set(seals) - set(seals_of(built, "newsletter_subscriber")))


def forget(built: NewsroomProcesses, relay: Catcher) -> str:
    """On the preferences page, by its mailed link. Returns the link's token."""
    path = link_in(letter_to(relay, FORGOTTEN), "letter")
    before = len(relay.letters)
    assert request_as(built, FORGOTTEN, "POST", f"{path}preferences/?email={FORGOTTEN}") == 200
    wait_for(lambda: len(relay.letters) > before, "the link to the preferences", 60)
    own = link_in(letter_to(relay, FORGOTTEN), "preferences")
    assert request_as(built, FORGOTTEN, "GET", own) == 200
    form = {"edition": "en", "language": "en"}
    assert request_as(built, FORGOTTEN, "POST", own, form=form) == 200
    assert request_as(built, FORGOTTEN, "POST", f"{own}forget/?email={FORGOTTEN}") == 200
    wait_for(lambda: len(departures_log_of(built)) == 3, "the departures log with three lines")
    return own.split("/")[-2]


def departures_log_of(built: NewsroomProcesses) -> list[str]:
    """The log's lines."""
    return (built.var_dir / "departures" / "journal").read_text().splitlines()[1:]


def look_up(built: NewsroomProcesses) -> None:
    """A manager looks somebody up."""
    built.python(REQUEST_LOOKUP, LOOKED_UP)
    built.manage("run_due")
    unknown = "SELECT count(*) FROM newsletter_subscriberlookup WHERE answer = 'unknown'"
    wait_for(lambda: built.stores.query(unknown)[0][0] == 1, "the worker's answer", 60)


def import_list(built: NewsroomProcesses) -> None:
    """A manager uploads a list and applies the import."""
    built.python(UPLOAD_LIST, IMPORTED, BAD_LINE)

    def stands_at(status: str) -> bool:
        built.manage("run_due")
        [[found]] = built.stores.query("SELECT status FROM newsletter_import")
        return bool(found == status)

    wait_for(lambda: stands_at("checked"), "the dry run", 60)
    built.python(REQUEST_APPLY)
    wait_for(lambda: stands_at("applied"), "the import", 60)
    [[added, invalid]] = built.stores.query("SELECT added, invalid FROM newsletter_import")
    assert (added, invalid) == (1, 1)


def process_bounces(built: NewsroomProcesses, relay: Catcher) -> None:
    """A bounce that quotes its subscriber, and a mail that is quarantined."""
    letter = letter_to(relay, UNCERTAIN)
    address = normalised(UNCERTAIN)
    report = dsn(diagnostic=f"smtp; 550 5.1.1 <{address}>: user unknown").replace(
        "reader@example.org", address
    )
    bounce = written(report, to=letter.sender)
    pipe(built, bounce)
    pipe(built, bounce + BROWSER.encode())
    odd = written("a person", to=letter.sender).replace(b"reader@example.org", WRITES.encode())
    pipe(built, odd)
    assert count(built, "newsletter_subscriber", "bounced") == 2
    counted = "SELECT what, count FROM newsletter_quota WHERE what LIKE 'mail: %' ORDER BY what"
    assert [tuple(row) for row in built.stores.query(counted)] == [
        ("mail: hard", 2),
        ("mail: set aside", 1),
    ]


def pipe(built: NewsroomProcesses, raw: bytes) -> None:
    """As a mail server's pipe, which logs the output."""
    done = subprocess.run(
        [sys.executable, "manage.py", "process_bounces"],
        cwd=ROOT,
        env={**built.environment, "WORKER_KEY_FILE": "none"},
        input=raw,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == b""


def rotate_keys(built: NewsroomProcesses) -> list[bytes]:
    """Rotates the keys and re-encrypts the list. Returns the sealed addresses from before."""
    before = seals_of(built, "newsletter_subscriber")
    built.manage("rotate_keys")
    built.manage("reencrypt_list")
    seals = [seal for seal in before if seal]
    assert seals
    assert not set(seals) & set(seals_of(built, "newsletter_subscriber"))
    return seals


def apply_retention(built: NewsroomProcesses) -> None:
    """Applies the retention policy forty days later."""
    built.python(APPLY_RETENTION)
    known = "SELECT count(*) FROM newsletter_delivery WHERE subscriber_id IS NOT NULL"
    still = "SELECT count(*) FROM newsletter_delivery WHERE status = 'retry'"
    assert built.stores.query(known) == built.stores.query(still)


def break_tables_and_broker(built: NewsroomProcesses, relay: Catcher) -> None:
    """Tables and the broker disappear under web and worker."""
    path = link_in(letter_to(relay, UNCERTAIN), "letter")
    form = {"email": UNLUCKY, "edition": "en"}
    query = f"?email={UNLUCKY}"
    rename = "ALTER TABLE {} RENAME TO {}"
    built.stores.query(rename.format("newsletter_signup", "away"))
    # SQLite raises OperationalError for a missing table, PostgreSQL ProgrammingError.
    failing = {500, 503}
    assert request_as(built, UNLUCKY, "POST", f"/en/subscribe/{query}", form=form) in failing
    built.stores.query(rename.format("away", "newsletter_signup"))
    built.stores.query(rename.format("newsletter_subscriber", "away"))
    assert request_as(built, UNLUCKY, "GET", path + query) in failing
    assert request_as(built, UNLUCKY, "POST", path + query) in failing
    built.stores.query(rename.format("away", "newsletter_subscriber"))
    built.stores.query(rename.format("newsletter_suppression", "away"))
    # The worker opens the address before it misses the table.
    assert request_as(built, UNLUCKY, "POST", "/en/subscribe/", form=form) == 302
    wait_for(lambda: "raised unexpected" in built.log("worker"), "the worker's exception", 60)
    built.stores.query(rename.format("away", "newsletter_suppression"))
    for path in (r"/en/letter/\[token\]", "/en/subscribe/"):
        failed = rf"(Internal Server Error|Service Unavailable): {path}"
        assert re.search(failed, built.log("web"))

    built.stores.break_broker()
    assert request_as(built, UNLUCKY, "POST", f"/en/subscribe/{query}", form=form) == 302
    assert "The broker cannot be reached" in built.log("web")
    wait_for(lambda: bool(LOST.search(built.log("worker"))), "the worker's complaint", 60)
    built.stop("beat", "worker")
    built.stores.mend_broker()
    # Beat handles no address, so it gets a scheduler that raises with one.
    built.start("beat", "--scheduler=tests.newsroom.raising:RaisingScheduler")
    wait_for(lambda: "Note of <[address]>" in built.log("beat-again"), "beat's exception", 60)


def check_erased_is_overwritten(built: NewsroomProcesses, seals: list[bytes]) -> None:
    """A key that is found later opens no unsubscribed address, and no sign-up."""
    assert len(seals) > len(SIGNED_UP) + 1 + 1
    [[busy, *_frames]] = built.stores.query("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not busy
    # A newer row may have overwritten a part by chance.
    pieces = [seal[at : at + 12] for seal in seals for at in range(0, len(seal) - 12, 6)]
    for straw in built.seize():
        assert not any(piece in straw.content for piece in pieces), straw.where


def check_the_search_reaches_everything(built: NewsroomProcesses) -> None:
    """An address leaked in each place is found there."""
    careless, caught = ascii_form(GONE), of_address(GONE) + of_ip(IPV4)
    with (built.log_dir / "web.log").open("a") as log:
        log.write(f"Signed up: {careless}\n")
    (built.temporary / "upload").write_text(f"email\n{careless}\n")
    (built.var_dir / "media").mkdir(exist_ok=True)
    (built.var_dir / "media" / "cover.jpg").write_bytes(b"\xff\xd8" + IPV4.encode())
    built.stores.query("CREATE TABLE careless (address text)")
    built.stores.query(f"INSERT INTO careless VALUES ('{careless}')")
    built.python(f"from newsroom.celery import app; app.send_task('careless', ['{careless}'])")
    found = {where for where, _what in search(built.seize(), caught)}
    database = ".sqlite3" if isinstance(built.stores, Embedded) else "/data/base/"
    for place in (
        "web.log",
        "/tmp/upload",
        "cover.jpg",
        "dump",
        database,
        built.stores.queue_files,
    ):
        assert any(place in where for where in found), place


def replies(texts: dict[str, str]) -> Any:
    """The relay's replies to some recipients, which quote the address."""
    known = {normalised(address): text for address, text in texts.items()}
    return lambda _server, about: known[about].format(about) if about in known else None


def normalised(address: str) -> str:
    """Normalised, as the letter's envelope has it."""
    local, _at, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}".lower()


def ascii_form(address: str) -> str:
    """As in a request line, which is ASCII."""
    local, _at, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def letter_to(relay: Catcher, address: str) -> Letter:
    """The newest one."""
    return [letter for letter in relay.letters if letter.recipients == (normalised(address),)][-1]


def link_in(letter: Letter, page: str) -> str:
    found = re.search(rf"/en/{page}/[a-z2-7]+/", letter.contents.text)
    assert found, letter.contents.text
    return found[0]


def tokens_of(letter: Letter) -> set[str]:
    """Those of its links, of its headers and of its return path."""
    return set(TOKEN.findall(letter.raw.decode("utf-8", "replace") + letter.sender))


def count(built: NewsroomProcesses, table: str, status: str) -> int:
    [[number]] = built.stores.query(f"SELECT count(*) FROM {table} WHERE status = '{status}'")
    return int(number)
