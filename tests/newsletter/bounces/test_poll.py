"""Mail in a Maildir, an IMAP mailbox or a pipe is deleted only once it is processed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import TestCase
from pytest_django.fixtures import Settings

from keys import tokens
from keys.tokens import TokenKind
from newsletter import tasks
from newsletter.bounces import mailboxes, poll
from newsletter.bounces.apply import apply_mail
from newsletter.bounces.mailbox_config import Mailbox as Address
from newsletter.bounces.mailboxes import MailboxUnavailable, process_imap, process_maildir
from newsletter.campaigns.lifecycle import launch
from newsletter.models import Delivery, Departure, QuarantinedMail, Subscriber, Suppression
from newsletter.schedule import DueWork
from newsletter.tasks import process_bounces
from tests.factories import MONDAY_MORNING, make_mailing
from tests.newsletter.bounces.imap import Mailbox, running
from tests.newsletter.bounces.mails import written
from tests.services import database_url

ROOT = Path(__file__).resolve().parents[3]
NOW = MONDAY_MORNING
NOTHING = DueWork(**{one.name: [] for one in dataclasses.fields(DueWork)})
MAILS = [written("a person", to="somebody@newsroom.example"), b"rubbish"]


class Crash(Exception):
    """The process ends in the middle."""


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    folder = tmp_path / "Maildir"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "new" / "1.a").write_bytes(MAILS[0])
    (folder / "cur" / "2.b:2,S").write_bytes(MAILS[1])
    (folder / "tmp" / "3.c").write_bytes(b"not whole yet")
    return folder


def waiting(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_maildir_is_processed_oldest_first_without_unfinished_deliveries(maildir: Path) -> None:
    taken: list[bytes] = []
    assert process_maildir(maildir, taken.append) == 2
    assert taken == MAILS
    assert waiting(maildir) == ["3.c"]


def test_a_mail_that_was_not_processed_stays_in_the_maildir(maildir: Path) -> None:
    def crash(_raw: bytes) -> None:
        raise Crash

    with pytest.raises(Crash):
        process_maildir(maildir, crash)
    assert len(waiting(maildir)) == 3


def test_another_worker_may_be_faster(maildir: Path) -> None:
    def both(_raw: bytes) -> None:
        for path in (maildir / "new").iterdir():
            path.unlink()

    assert process_maildir(maildir, both) == 2
    assert waiting(maildir) == ["3.c"]


def test_a_mail_that_cannot_be_read_does_not_stop_those_behind_it(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_start = mailboxes._read_start

    def broken_disk(path: Path) -> bytes:
        if path.name == "1.a":
            raise OSError(5, "Input/output error")
        return read_start(path)

    monkeypatch.setattr(mailboxes, "_read_start", broken_disk)
    taken: list[bytes] = []
    with pytest.raises(
        MailboxUnavailable, match=r"1 mails in .* cannot be read.* 1 were processed"
    ):
        process_maildir(maildir, taken.append)
    assert taken == MAILS[1:]
    assert waiting(maildir) == ["1.a", "3.c"]


def test_undeletable_mails_are_not_processed_at_each_poll(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_args: False)
    with pytest.raises(MailboxUnavailable, match=r"cannot be deleted.*Nothing was processed"):
        process_maildir(maildir, pytest.fail)


def test_a_poll_is_bounded_and_the_next_one_processes_the_rest(maildir: Path) -> None:
    taken: list[bytes] = []
    assert process_maildir(maildir, taken.append, lambda: bool(taken)) == 1
    assert process_maildir(maildir, taken.append) == 1
    assert taken == MAILS


def test_a_folder_that_is_no_maildir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MailboxUnavailable, match="no Maildir"):
        process_maildir(tmp_path, print)
    with pytest.raises(CommandError, match="no Maildir"):
        call_command("process_bounces", "--maildir", str(tmp_path))


def test_an_imap_mailbox_is_emptied() -> None:
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS))) as mailbox:
        assert process_imap(Address.parse(mailbox.url), taken.append) == 2
        assert mailbox.mails == {}
    assert taken == MAILS


def test_a_mail_that_was_not_processed_stays_in_the_mailbox() -> None:
    def second_one_crashes(raw: bytes) -> None:
        if raw == MAILS[1]:
            raise Crash

    with running(Mailbox(list(MAILS))) as mailbox:
        with pytest.raises(Crash):
            process_imap(Address.parse(mailbox.url), second_one_crashes)
        assert list(mailbox.mails) == [2]


@pytest.mark.parametrize("where", [b"LOGIN", b"UID SEARCH", b"UID FETCH", b"EXPUNGE"])
def test_a_server_that_hangs_is_given_up_and_nothing_is_lost(
    where: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailboxes, "IMAP_TIMEOUT_SECONDS", 0.2)
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS), hangs_at=where)) as mailbox:
        with pytest.raises(MailboxUnavailable, match="the rest waits there"):
            process_imap(Address.parse(mailbox.url), taken.append)
        assert mailbox.hung.is_set()
        assert len(mailbox.mails) == 2


@pytest.mark.parametrize("drips", [False, True])
def test_a_trickling_server_is_cut_off(drips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "IMAP_SESSION_SECONDS", 0.2)
    with (
        running(Mailbox(list(MAILS), hangs_at=b"UID SEARCH", drips=drips)) as mailbox,
        pytest.raises(MailboxUnavailable),
    ):
        process_imap(Address.parse(mailbox.url), print)


def test_a_mail_that_cannot_be_fetched_does_not_stop_those_behind_it() -> None:
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS), refuses=b"UID FETCH 1 ")) as mailbox:
        with pytest.raises(MailboxUnavailable, match="did not deliver 1 mails; 1 were processed"):
            process_imap(Address.parse(mailbox.url), taken.append)
        assert list(mailbox.mails) == [1]
    assert taken == MAILS[1:]


@pytest.mark.parametrize(
    ("replies", "processed"),
    [
        ({"permanent_flags": rb"\Seen"}, 0),
        ({"refuses": b"SELECT"}, 0),
        # It could not be known before: one mail is processed twice, which does no harm.
        ({"refuses": b"UID STORE"}, 1),
    ],
)
def test_a_mailbox_that_cannot_be_emptied_is_reported(
    replies: dict[str, bytes], processed: int
) -> None:
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS), **replies)) as mailbox:  # type: ignore[arg-type]
        with pytest.raises(MailboxUnavailable):
            process_imap(Address.parse(mailbox.url), taken.append)
        assert len(mailbox.mails) == 2
    assert len(taken) == processed


def test_mails_that_a_killed_process_marked_as_deleted_are_not_processed_again() -> None:
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS))) as mailbox:
        mailbox.doomed.add(1)
        assert process_imap(Address.parse(mailbox.url), taken.append) == 1
        assert mailbox.mails == {}
    assert taken == MAILS[1:]


def test_a_mailbox_over_tls_needs_a_certificate_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS), tls=tls)) as mailbox:
        address = Address.parse(mailbox.url)
        with pytest.raises(MailboxUnavailable, match="SSLCertVerificationError"):
            process_imap(address, taken.append)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert process_imap(address, taken.append) == 2
    assert taken == MAILS


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + built.public_bytes(Encoding.PEM))
    return path


def test_a_wrong_password_is_reported_without_it_and_without_the_servers_text() -> None:
    with running(Mailbox([])) as mailbox:
        wrong = mailbox.url.replace("pass%40word", "secret")
        with pytest.raises(MailboxUnavailable) as told:
            process_imap(Address.parse(wrong), print)
    assert "secret" not in str(told.value)
    assert "bounces:pass" not in str(told.value)


def test_a_refused_connection_is_reported() -> None:
    nobody = Address.parse("imap://bounces:x@127.0.0.1:1/INBOX")
    with pytest.raises(MailboxUnavailable, match=r"127\.0\.0\.1:1/INBOX"):
        process_imap(nobody, print)


@pytest.mark.django_db
def test_a_worker_polls_the_configured_mailboxes(maildir: Path, settings: Settings) -> None:
    settings.BOUNCE_MAILDIR = maildir
    with running(Mailbox([b"rubbish"])) as mailbox:
        settings.BOUNCE_MAILBOX = Address.parse(mailbox.url)
        assert poll.poll_mailboxes(lambda: NOW) == 3
    assert QuarantinedMail.objects.count() == 3
    assert waiting(maildir) == ["3.c"]


@pytest.mark.django_db
def test_an_unavailable_mailbox_is_logged_and_ends_no_worker(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BOUNCE_MAILDIR = tmp_path
    process_bounces()
    assert "no Maildir" in caplog.text


@pytest.mark.django_db
def test_an_unavailable_mailbox_does_not_block_the_other(
    settings: Settings, tmp_path: Path
) -> None:
    settings.BOUNCE_MAILDIR = tmp_path
    with running(Mailbox([b"rubbish"])) as mailbox:
        settings.BOUNCE_MAILBOX = Address.parse(mailbox.url)
        with pytest.raises(MailboxUnavailable, match="no Maildir"):
            poll.poll_mailboxes(lambda: NOW)
        assert mailbox.mails == {}
    assert QuarantinedMail.objects.count() == 1


@pytest.mark.django_db
def test_a_hanging_mailbox_occupies_one_worker(
    settings: Settings, maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BOUNCE_MAILDIR = maildir
    begun: list[int] = []
    monkeypatch.setattr(tasks.process_bounces, "delay", lambda: begun.append(1))
    for minute in range(10):
        monkeypatch.setattr(
            "django.utils.timezone.now", lambda at=minute: NOW + dt.timedelta(minutes=at)
        )
        monkeypatch.setattr(tasks.schedule, "run_due", lambda _now: NOTHING)
        with TestCase.captureOnCommitCallbacks(execute=True):
            tasks.tick()
    assert len(begun) == 2
    assert poll.MAX_POLL_DURATION < poll.POLL_INTERVAL


KILLED_BEFORE_IT_DELETES = """
import os, signal, sys, django
django.setup()
from pathlib import Path
from django.core.management import call_command
Path.unlink = lambda *_args, **_more: os.kill(os.getpid(), signal.SIGKILL)
call_command("process_bounces", "--maildir", sys.argv[1])
"""


@pytest.mark.django_db(transaction=True)
def test_killed_between_processing_and_deletion_has_one_effect(
    settings: Settings, maildir: Path
) -> None:
    mailing = make_mailing(readers=2)
    launch(mailing, NOW)
    Delivery.objects.update(status="sent", handed_over_at=NOW, settled_at=NOW)
    delivery = Delivery.objects.order_by("pk")[0]
    to = f"b-{tokens.make_token(TokenKind.RETURN_PATH, delivery.pk, 0)}@bounces.newsroom.example"
    (maildir / "new" / "1.a").write_bytes(written("postfix: user unknown", to=to))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_IT_DELETES, str(maildir)],
        cwd=ROOT,
        capture_output=True,
        env=surroundings(settings),
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert waiting(maildir) == ["1.a", "2.b:2,S", "3.c"]
    assert Suppression.objects.count() == Departure.objects.count() == 1
    assert process_maildir(maildir, lambda raw: apply_mail(raw, NOW)) == 2
    assert waiting(maildir) == ["3.c"]
    assert Suppression.objects.count() == Departure.objects.count() == 1
    assert Subscriber.objects.active().count() == 1


def surroundings(settings: Settings) -> dict[str, str]:
    """Of a process that takes mail in; it needs no worker's key."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "newsroom.settings",
        "DATABASE_URL": database_url(connection),
        "WORKER_KEY_FILE": "none",
        "INTAKE_KEY_FILE": str(settings.INTAKE_KEY_FILE),
        "LINKS_KEY_FILE": str(settings.LINKS_KEY_FILE),
    }


def pipe(raw: bytes, settings: Settings, **more: str) -> subprocess.CompletedProcess[bytes]:
    """As a mail server starts it."""
    return subprocess.run(
        [sys.executable, "manage.py", "process_bounces"],
        cwd=ROOT,
        input=raw,
        capture_output=True,
        env={**surroundings(settings), **more},
    )


@pytest.mark.django_db(transaction=True)
def test_a_mail_servers_pipe_needs_no_worker_key(settings: Settings) -> None:
    done = pipe(MAILS[0], settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"", "a mail server would write it into its log"
    assert QuarantinedMail.objects.count() == 1


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_without_a_database_or_key_the_mail_server_is_asked_to_retry(
    settings: Settings, tmp_path: Path
) -> None:
    away = pipe(MAILS[0], settings, DATABASE_URL=f"sqlite:///{tmp_path}/nothing.sqlite3")
    assert away.returncode == 75
    assert b"try again later" in away.stderr
    keyless = pipe(MAILS[0], settings, INTAKE_KEY_FILE=str(tmp_path / "none"))
    assert keyless.returncode == 75
    assert b"person" not in away.stderr + keyless.stderr
