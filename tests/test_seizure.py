"""Promise 5 as whoever takes the machine away would try it.

Planted readers go through sign-up, confirmation, a sending with failures, leaving, and an
exception in each process. Then everything that is left is searched for them, but the keys:
without those it has to be worthless. (What of a reader stays readable by design names nobody:
edition, provider code, status and times.)
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
from tests.newsletter.relays import Moody, hang_up, once
from tests.newsroom_processes import ROOT, Answer, Embedded, House, Servers, house
from tests.services import Missing, running_postgresql, running_redis, skip_or_fail, wait_for

pytestmark = pytest.mark.long

# As they are typed; each meets a fate of its own.
LEAVES = "planted-leaves.k3v9@example.org"
GONE = "Planted-Gone.Q7x2+news@Example.COM"
LATER = "planted-later.w5z8@planted-пошта.бел"
UNCERTAIN = "PLANTED-UNCERTAIN.J4M6@EXAMPLE.NET"
NO_SUCH = "planted_nosuch'h2b1@planted-domain.example"
FORGOTTEN = "planted-forgotten.m2n4@example.org"
ASKED_ABOUT = "planted-asked-about.d8f3@example.com"
IMPORTED = "planted-imported.v7c5@example.net"
BAD_LINE = "planted-bad-line.x4w8@planted_domain.example"
WRITES = "planted-writes.h9k2@example.org"
UNLUCKY = "planted-unlucky.r6t1@gmail.com"
SIGNED_UP = (LEAVES, GONE, LATER, UNCERTAIN, FORGOTTEN, NO_SUCH)
CONFIRMING = (LEAVES, GONE, LATER, UNCERTAIN, FORGOTTEN)
EVERYBODY = (*SIGNED_UP, ASKED_ABOUT, IMPORTED, WRITES, UNLUCKY)

SOUGHT = "plantedsought7x4q"
IPV4, IPV6, BROWSER = "198.51.100.73", "2001:db8:5eed::7", "PlantedBrowser/9.83"
SOURCES = {address: f"127.83.0.{number}" for number, address in enumerate(EVERYBODY, start=7)}
LOGIN = "/admin/account/login/"
TOKEN = re.compile(r"[a-z2-7]{45}")
LOST = re.compile("Unrecoverable error|Connection to broker lost|Cannot connect to")
OPENING = """
import datetime as dt
from articles.editorial.digest_builder import gather
from core.weeks import Week
from tests.factories import make_article, make_edition
week = Week.last_full(dt.datetime.now(dt.UTC).date())
make_edition()
make_article(week=week)
gather(week)
"""

ASKING = """
import datetime as dt
from newsletter.subscribers import lookup as inquiring
from tests.factories import make_user
inquiring.ask(sys.argv[1], make_user(), dt.datetime.now(dt.UTC))
"""
UPLOADING = """
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
APPLYING = """
import datetime as dt
from newsletter.imports import apply as applying
from newsletter.models import Import
applying.ask_to_apply(Import.objects.get(), None, dt.datetime.now(dt.UTC))
"""
OBEYING = """
import datetime as dt
from newsletter.privacy import retention
retention.obey(dt.datetime.now(dt.UTC) + dt.timedelta(days=40))
"""


@pytest.fixture
def own_keys_dir(tmp_path: Path, keys_dir: Path) -> Path:
    """They are rotated on the way."""
    return Path(shutil.copytree(keys_dir, tmp_path / "own-keys"))


@pytest.fixture
def embedded(tmp_path: Path, relay: Catcher, own_keys_dir: Path) -> Any:
    with house(tmp_path, Embedded(tmp_path / "var"), relay, own_keys_dir) as built:
        yield built


@pytest.fixture
def on_servers(tmp_path: Path, relay: Catcher, own_keys_dir: Path) -> Any:
    try:
        with (
            running_postgresql() as postgresql,
            running_redis() as redis,
            house(tmp_path, Servers(postgresql, redis), relay, own_keys_dir) as built,
        ):
            yield built
    except Missing as missing:
        skip_or_fail(missing)


@pytest.mark.parametrize("stores", ["embedded", "on_servers"])
def test_a_seized_machine_shows_no_reader(
    stores: str, request: pytest.FixtureRequest, relay: Catcher
) -> None:
    built: House = request.getfixturevalue(stores)
    open_the_newsroom(built)
    needles = [needle for address in EVERYBODY for needle in of_address(address)]
    for ip in (IPV4, IPV6, *SOURCES.values()):
        needles += of_ip(ip)
    needles += of_text(BROWSER) + of_text(SOUGHT)

    needles += of_token(look_for_something(built))
    sign_up(built)
    check_messages_carry_nothing(built)
    erased = seals_of(built, "newsletter_signup")
    mistake_the_door(built)
    assert search(built.seize(), needles) == []

    confirm(built, relay)
    send_the_week(built, relay)
    tokens = {token for letter in relay.letters for token in tokens_of(letter)}
    # Of the digests that were taken link, Message-ID and return path. Of each confirmation and
    # welcome its link, and what both Message-ID and return path have; of one second it is the same.
    mails = len(CONFIRMING)
    assert 3 * mails + 3 * 3 <= len(tokens) <= 4 * mails + 3 * 3
    erased += leave(built, relay)
    tokens.add(be_forgotten(built, relay))
    ask_about(built)
    bring_in(built)
    come_back(built, relay)
    erased += rotate(built)
    assert search(built.seize(), needles) == []
    needles += [needle for token in tokens for needle in of_token(token)]
    fail_everywhere(built, relay)
    built.stop()
    assert search(built.seize(), needles) == []
    let_time_pass(built)
    assert search(built.seize(), needles) == []
    if isinstance(built.stores, Embedded):
        check_erased_is_overwritten(built, erased)
    check_the_search_reaches_everything(built)


def open_the_newsroom(built: House) -> None:
    """With an edition and last week's digest, and nobody on the list."""
    built.python(OPENING)
    built.start("web")
    built.start("beat")


def reader(built: House, address: str, method: str, path: str, **more: Any) -> int:
    """One request of one planted reader, and its status."""
    return answer(built, address, method, path, **more).status


def answer(built: House, address: str, method: str, path: str, **more: Any) -> Answer:
    """Through a proxy that says for whom."""
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


def look_for_something(built: House) -> str:
    """A reader's search, with its ways back. Returns the token in its address."""
    path = answer(built, LEAVES, "POST", "/en/search/", form={"q": SOUGHT}).location
    # Whichever of the web's processes is asked.
    for _ in range(16):
        found = answer(built, LEAVES, "GET", path)
        assert (found.status, SOUGHT in found.page) == (200, True)
    token = path.split("/")[-2]
    other = token.translate(str.maketrans("ab", "ba"))
    for broken in (f"{path}9/", f"{path}x/", f"/en/search/{other}/", path.upper()):
        assert reader(built, LEAVES, "GET", f"{broken}?q={SOUGHT}") in {404, 410}
    assert reader(built, LEAVES, "GET", f"/en/search/?q={SOUGHT}") == 303
    assert reader(built, LEAVES, "POST", "/en/search/", form={"q": SOUGHT * 20}) == 400
    return token


def sign_up(built: House) -> None:
    """As people do: well, badly, twice, and by forms that are not ours. No worker is there yet."""
    for address in SIGNED_UP:
        form = {"email": address, "edition": "en"}
        assert reader(built, address, "POST", "/en/subscribe/", form=form) == 302
        broken = {"email": f"{address}@", "edition": "en"}
        assert reader(built, address, "POST", "/en/subscribe/", form=broken) == 400
    query = f"?email={LEAVES}&edition=en"
    assert reader(built, LEAVES, "GET", f"/en/subscribe/{query}") == 200
    assert reader(built, LEAVES, "GET", f"/en/{LEAVES}/{query}") == 404
    assert reader(built, LEAVES, "GET", f"/en/{query}", headers={"Host": LEAVES}) == 400
    assert reader(built, LEAVES, "PUT", f"/en/subscribe/{query}") == 405
    upload = [b'name="edition"\r\n\r\nen', b'name="email"\r\n\r\n' + LEAVES.encode()]
    file = (LEAVES.encode() + b"\r\n") * 100_000
    upload.append(b'name="list"; filename="%b.csv"\r\n\r\n%b' % (LEAVES.encode(), file))
    parts = [b"--limit\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in upload]
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    body = b"".join(parts) + b"--limit--\r\n"
    # Far too much for a form: refused before it is read, let alone laid down on the disk.
    assert reader(built, LEAVES, "POST", "/en/subscribe/", body=body, headers=kind) == 413
    small = body.replace(file, LEAVES.encode())
    assert reader(built, LEAVES, "POST", "/en/subscribe/", body=small, headers=kind) == 302


def mistake_the_door(built: House) -> None:
    """A reader who wants to log in finds only the staff's door, and tries it."""
    secret = "c" * 32
    form = {"login": LEAVES, "password": "my password", "csrfmiddlewaretoken": secret}
    cookie = {"Cookie": f"csrftoken={secret}"}
    assert reader(built, LEAVES, "POST", LOGIN, form=form, headers=cookie) == 200


def check_messages_carry_nothing(built: House) -> None:
    """They wait on the real broker, since nobody takes them."""
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


def confirm(built: House, relay: Catcher) -> None:
    """The relay refuses one of them for good, and says whom."""
    Moody.moods["RCPT"] = replies({NO_SUCH: "550 5.1.1 <{0}> unknown, said {0}"})
    built.start("worker")
    wait_for(lambda: len(relay.letters) == len(CONFIRMING), "the confirmations", 60)
    given_up = "(550 5.1.1): it is given up"
    wait_for(lambda: given_up in built.log("worker"), "the refused confirmation", 60)
    for address in CONFIRMING:
        path = link_in(letter_to(relay, address), "confirm")
        for method, asked in (("GET", path), ("POST", path), ("GET", f"{path}x/"), ("GET", path)):
            reader(built, address, method, f"{asked}?email={ascii_form(address)}")
    assert count(built, "newsletter_subscriber", "active") == len(CONFIRMING)
    wait_for(lambda: len(relay.letters) == 2 * len(CONFIRMING), "the welcomes", 60)


def send_the_week(built: House, relay: Catcher) -> None:
    """One mailbox is gone, one asks to wait, one connection breaks after the dot."""
    Moody.moods["RCPT"] = replies(
        {GONE: "550 5.1.1 <{0}> unknown", LATER: "451 4.2.1 <{0}> is asked to wait, {0}"}
    )
    uncertain = normal(UNCERTAIN)
    lost = once(hang_up)
    Moody.moods["KEPT"] = lambda server, about: lost(server, about) if about == uncertain else None
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


def seals_of(built: House, table: str) -> list[bytes]:
    """Those that a table holds just now."""
    return [bytes(row[0]) for row in built.stores.query(f"SELECT sealed_address FROM {table}")]


def leave(built: House, relay: Catcher) -> list[bytes]:
    """With the one click of RFC 8058. Returns the seals that this erases."""
    seals = seals_of(built, "newsletter_subscriber")
    path = link_in(letter_to(relay, LEAVES), "letter")
    half = len(path) // 2
    for broken in (
        f"{path[:-2]}/",
        f"{path[:-1]}x/",
        f"{path[:half]}%20{path[half:]}",
        f"{path}{LEAVES}/",
        path.replace("/", "%2F"),
        path.upper(),
    ):
        reader(built, LEAVES, "GET", f"{broken}?email={LEAVES}")
    form = {"List-Unsubscribe": "One-Click"}
    assert reader(built, LEAVES, "GET", path) == 200
    assert reader(built, LEAVES, "POST", path, form=form) == 200
    assert count(built, "newsletter_subscriber", "left") == 1
    return sorted(set(seals) - set(seals_of(built, "newsletter_subscriber")))


def be_forgotten(built: House, relay: Catcher) -> str:
    """By the link that a letter's link has mailed. Returns the link's token."""
    path = link_in(letter_to(relay, FORGOTTEN), "letter")
    before = len(relay.letters)
    assert reader(built, FORGOTTEN, "POST", f"{path}preferences/?email={FORGOTTEN}") == 200
    wait_for(lambda: len(relay.letters) > before, "the link to the preferences", 60)
    own = link_in(letter_to(relay, FORGOTTEN), "preferences")
    assert reader(built, FORGOTTEN, "GET", own) == 200
    form = {"edition": "en", "language": "en"}
    assert reader(built, FORGOTTEN, "POST", own, form=form) == 200
    assert reader(built, FORGOTTEN, "POST", f"{own}forget/?email={FORGOTTEN}") == 200
    wait_for(lambda: len(journal_of(built)) == 3, "the journal of who bounced, left, is forgotten")
    return own.split("/")[-2]


def journal_of(built: House) -> list[str]:
    """Its lines."""
    return (built.var_dir / "departures" / "journal").read_text().splitlines()[1:]


def ask_about(built: House) -> None:
    """A manager wants to know whether somebody is on the list."""
    built.python(ASKING, ASKED_ABOUT)
    built.manage("run_due")
    unknown = "SELECT count(*) FROM newsletter_inquiry WHERE answer = 'unknown'"
    wait_for(lambda: built.stores.query(unknown)[0][0] == 1, "the worker's answer", 60)


def bring_in(built: House) -> None:
    """A manager uploads a list, and adds whom a worker found in it."""
    built.python(UPLOADING, IMPORTED, BAD_LINE)

    def stands_at(status: str) -> bool:
        built.manage("run_due")
        [[found]] = built.stores.query("SELECT status FROM newsletter_import")
        return bool(found == status)

    wait_for(lambda: stands_at("checked"), "the check of the list", 60)
    built.python(APPLYING)
    wait_for(lambda: stands_at("applied"), "the import", 60)
    [[added, invalid]] = built.stores.query("SELECT added, invalid FROM newsletter_import")
    assert (added, invalid) == (1, 1)


def come_back(built: House, relay: Catcher) -> None:
    """A bounce that quotes its reader, and a mail that nobody understands."""
    letter = letter_to(relay, UNCERTAIN)
    address = normal(UNCERTAIN)
    report = dsn(diagnostic=f"smtp; 550 5.1.1 <{address}>: user unknown").replace(
        "reader@example.org", address
    )
    bounce = written(report, to=letter.sender)
    receive(built, bounce)
    receive(built, bounce + BROWSER.encode())
    odd = written("a person", to=letter.sender).replace(b"reader@example.org", WRITES.encode())
    receive(built, odd)
    assert count(built, "newsletter_subscriber", "bounced") == 2
    counted = "SELECT what, count FROM newsletter_spending WHERE what LIKE 'mail: %' ORDER BY what"
    assert [tuple(row) for row in built.stores.query(counted)] == [
        ("mail: hard", 2),
        ("mail: set aside", 1),
    ]


def receive(built: House, raw: bytes) -> None:
    """As a mail server's pipe, which writes what it hears into its log."""
    done = subprocess.run(
        [sys.executable, "manage.py", "process_bounces"],
        cwd=ROOT,
        env={**built.environment, "WORKER_KEY_FILE": "none"},
        input=raw,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == b""


def rotate(built: House) -> list[bytes]:
    """New keys, and the list sealed anew. Returns the seals that were there before."""
    before = seals_of(built, "newsletter_subscriber")
    built.manage("rotate_keys")
    built.manage("reencrypt_list")
    seals = [seal for seal in before if seal]
    assert seals
    assert not set(seals) & set(seals_of(built, "newsletter_subscriber"))
    return seals


def let_time_pass(built: House) -> None:
    """Forty days later, what the retention document says has been done."""
    built.python(OBEYING)
    known = "SELECT count(*) FROM newsletter_delivery WHERE subscriber_id IS NOT NULL"
    still = "SELECT count(*) FROM newsletter_delivery WHERE status = 'retry'"
    assert built.stores.query(known) == built.stores.query(still)


def fail_everywhere(built: House, relay: Catcher) -> None:
    """Tables and the broker vanish under web and worker."""
    path = link_in(letter_to(relay, UNCERTAIN), "letter")
    form = {"email": UNLUCKY, "edition": "en"}
    query = f"?email={UNLUCKY}"
    rename = "ALTER TABLE {} RENAME TO {}"
    built.stores.query(rename.format("newsletter_signup", "away"))
    # To SQLite a missing table is an operational fault, as a full disk is; to PostgreSQL not.
    failing = {500, 503}
    assert reader(built, UNLUCKY, "POST", f"/en/subscribe/{query}", form=form) in failing
    built.stores.query(rename.format("away", "newsletter_signup"))
    built.stores.query(rename.format("newsletter_subscriber", "away"))
    assert reader(built, UNLUCKY, "GET", path + query) in failing
    assert reader(built, UNLUCKY, "POST", path + query) in failing
    built.stores.query(rename.format("away", "newsletter_subscriber"))
    built.stores.query(rename.format("newsletter_suppression", "away"))
    # The worker opens the address before it misses the table.
    assert reader(built, UNLUCKY, "POST", "/en/subscribe/", form=form) == 302
    wait_for(lambda: "raised unexpected" in built.log("worker"), "the worker's exception", 60)
    built.stores.query(rename.format("away", "newsletter_suppression"))
    for path in (r"/en/letter/\[token\]", "/en/subscribe/"):
        failed = rf"(Internal Server Error|Service Unavailable): {path}"
        assert re.search(failed, built.log("web"))

    built.stores.break_broker()
    assert reader(built, UNLUCKY, "POST", f"/en/subscribe/{query}", form=form) == 302
    assert "The broker cannot be reached" in built.log("web")
    wait_for(lambda: bool(LOST.search(built.log("worker"))), "the worker's complaint", 60)
    built.stop("beat", "worker")
    built.stores.mend_broker()
    # Beat meets no reader by itself, so it is given a scheduler that speaks of one.
    built.start("beat", "--scheduler=tests.newsroom.raising:RaisingScheduler")
    wait_for(lambda: "Note of <[address]>" in built.log("beat-again"), "beat's exception", 60)


def check_erased_is_overwritten(built: House, seals: list[bytes]) -> None:
    """Should the key be found one day, it opens nobody who left, and no sign-up."""
    assert len(seals) > len(SIGNED_UP) + 1 + 1
    [[busy, *_frames]] = built.stores.query("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not busy
    # What came into a row's place may have overwritten a part by chance.
    pieces = [seal[at : at + 12] for seal in seals for at in range(0, len(seal) - 12, 6)]
    for straw in built.seize():
        assert not any(piece in straw.content for piece in pieces), straw.where


def check_the_search_reaches_everything(built: House) -> None:
    """A newsroom that were careless in each place would be caught in each."""
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
    """What the relay says of some recipients, quoting them as relays do."""
    known = {normal(address): text for address, text in texts.items()}
    return lambda _server, about: known[about].format(about) if about in known else None


def normal(address: str) -> str:
    """As the letter is addressed."""
    local, _at, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}".lower()


def ascii_form(address: str) -> str:
    """As it stands in a request's line, which has no other letters."""
    local, _at, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def letter_to(relay: Catcher, address: str) -> Letter:
    """The newest one."""
    return [letter for letter in relay.letters if letter.recipients == (normal(address),)][-1]


def link_in(letter: Letter, page: str) -> str:
    found = re.search(rf"/en/{page}/[a-z2-7]+/", letter.contents.text)
    assert found, letter.contents.text
    return found[0]


def tokens_of(letter: Letter) -> set[str]:
    """Those of its links, of its headers and of its return path."""
    return set(TOKEN.findall(letter.raw.decode("utf-8", "replace") + letter.sender))


def count(built: House, table: str, status: str) -> int:
    [[number]] = built.stores.query(f"SELECT count(*) FROM {table} WHERE status = '{status}'")
    return int(number)
