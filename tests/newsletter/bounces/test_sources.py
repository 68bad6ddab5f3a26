"""Mail is taken from a Maildir, an IMAP mailbox or a pipe, and goes only once it is obeyed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from newsletter.bounces import sources, taking
from newsletter.bounces.sources import (
    ImapMailbox,
    SourceBroken,
    take_from_imap,
    take_from_maildir,
)
from newsletter.models import SetAsideMail
from newsletter.tasks import take_bounces
from tests.factories import MONDAY_MORNING
from tests.newsletter.bounces.imap import Mailbox, running
from tests.newsletter.bounces.mails import written
from tests.services import database_url

ROOT = Path(__file__).resolve().parents[3]
NOW = MONDAY_MORNING
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


def test_a_maildir_is_emptied_oldest_first_and_what_is_not_whole_stays(maildir: Path) -> None:
    taken: list[bytes] = []
    assert take_from_maildir(maildir, taken.append) == 2
    assert taken == MAILS
    assert waiting(maildir) == ["3.c"]


def test_what_was_not_obeyed_stays_in_the_maildir(maildir: Path) -> None:
    def crash(_raw: bytes) -> None:
        raise Crash

    with pytest.raises(Crash):
        take_from_maildir(maildir, crash)
    assert len(waiting(maildir)) == 3


def test_another_worker_may_be_faster(maildir: Path) -> None:
    def both(_raw: bytes) -> None:
        for path in (maildir / "new").iterdir():
            path.unlink()

    assert take_from_maildir(maildir, both) == 2
    assert waiting(maildir) == ["3.c"]


def test_a_folder_that_is_no_maildir_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match="no Maildir"):
        take_from_maildir(tmp_path, print)
    with pytest.raises(CommandError, match="no Maildir"):
        call_command("receive_mail", "--maildir", str(tmp_path))


def test_an_imap_mailbox_is_emptied() -> None:
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS))) as mailbox:
        assert take_from_imap(ImapMailbox.parse(mailbox.url), taken.append) == 2
        assert mailbox.mails == {}
    assert taken == MAILS


def test_what_was_not_obeyed_stays_in_the_mailbox() -> None:
    def second_one_crashes(raw: bytes) -> None:
        if raw == MAILS[1]:
            raise Crash

    with running(Mailbox(list(MAILS))) as mailbox:
        with pytest.raises(Crash):
            take_from_imap(ImapMailbox.parse(mailbox.url), second_one_crashes)
        assert list(mailbox.mails) == [2]


@pytest.mark.parametrize("where", [b"LOGIN", b"UID SEARCH", b"UID FETCH", b"EXPUNGE"])
def test_a_server_that_hangs_is_given_up_and_nothing_is_lost(
    where: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "IMAP_TIMEOUT", 0.2)
    taken: list[bytes] = []
    with running(Mailbox(list(MAILS), hangs_at=where)) as mailbox:
        with pytest.raises(SourceBroken, match="the rest waits there"):
            take_from_imap(ImapMailbox.parse(mailbox.url), taken.append)
        assert mailbox.hung.is_set()
        assert len(mailbox.mails) == 2


def test_a_server_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "IMAP_TURN", 0.2)
    with (
        running(Mailbox(list(MAILS), hangs_at=b"UID SEARCH")) as mailbox,
        pytest.raises(SourceBroken),
    ):
        take_from_imap(ImapMailbox.parse(mailbox.url), print)


def test_a_wrong_password_is_told_without_it_and_without_the_servers_words() -> None:
    with running(Mailbox([])) as mailbox:
        wrong = mailbox.url.replace("pass%40word", "secret")
        with pytest.raises(SourceBroken) as told:
            take_from_imap(ImapMailbox.parse(wrong), print)
    assert "secret" not in str(told.value)
    assert "bounces:pass" not in str(told.value)


def test_nobody_at_the_port_is_told() -> None:
    nobody = ImapMailbox.parse("imap://bounces:x@127.0.0.1:1/INBOX")
    with pytest.raises(SourceBroken, match=r"127\.0\.0\.1:1/INBOX"):
        take_from_imap(nobody, print)


@pytest.mark.parametrize(
    "url", ["", "imaps://", "http://a:b@c/", "imaps://host/INBOX", "imap://[x"]
)
def test_what_is_no_mailbox_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="imaps://user:password@host/INBOX"):
        ImapMailbox.parse(url)


def test_encrypted_unless_said_otherwise() -> None:
    mailbox = ImapMailbox.parse("imaps://bounces:pass%40word@mail.example")
    assert (mailbox.port, mailbox.folder, mailbox.is_encrypted) == (993, "INBOX", True)
    assert mailbox.password == "pass@word"
    assert "pass" not in str(mailbox)


@pytest.mark.django_db
def test_a_worker_empties_what_the_settings_name(maildir: Path, settings: Settings) -> None:
    settings.BOUNCE_MAILDIR = maildir
    with running(Mailbox([b"rubbish"])) as mailbox:
        settings.BOUNCE_IMAP_URL = mailbox.url
        assert taking.take(lambda: NOW) == 3
    assert SetAsideMail.objects.count() == 3
    assert waiting(maildir) == ["3.c"]


@pytest.mark.django_db
def test_a_source_that_is_broken_is_logged_and_ends_no_worker(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BOUNCE_MAILDIR = tmp_path
    take_bounces()
    assert "no Maildir" in caplog.text


def pipe(raw: bytes, settings: Settings, **more: str) -> subprocess.CompletedProcess[bytes]:
    """As a mail server starts it."""
    return subprocess.run(
        [sys.executable, "manage.py", "receive_mail"],
        cwd=ROOT,
        input=raw,
        capture_output=True,
        env={
            **os.environ,
            "DATABASE_URL": database_url(connection),
            "WORKER_KEY_FILE": "none",
            "INTAKE_KEY_FILE": str(settings.INTAKE_KEY_FILE),
            "LINKS_KEY_FILE": str(settings.LINKS_KEY_FILE),
            **more,
        },
    )


@pytest.mark.django_db(transaction=True)
def test_a_mail_servers_pipe_needs_no_worker_key(settings: Settings) -> None:
    done = pipe(MAILS[0], settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == b"set aside"
    assert SetAsideMail.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_without_a_database_or_key_the_mail_server_is_asked_to_come_again(
    settings: Settings, tmp_path: Path
) -> None:
    away = pipe(MAILS[0], settings, DATABASE_URL=f"sqlite:///{tmp_path}/nothing.sqlite3")
    assert away.returncode == 75
    assert b"try again later" in away.stderr
    keyless = pipe(MAILS[0], settings, INTAKE_KEY_FILE=str(tmp_path / "none"))
    assert keyless.returncode == 75
    assert b"person" not in away.stderr + keyless.stderr
