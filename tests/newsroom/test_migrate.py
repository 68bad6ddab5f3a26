"""Migrations that are run twice, or by two processes at once, on both databases."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from core.advisory_lock import advisory_lock
from tests.factories import a_jpeg
from tests.forked_commands import CommandResult, ForkServer
from tests.newsroom.production import ROOT
from tests.services import (
    ServiceNotInstalled,
    database_url,
    running_postgresql,
    skip_or_fail,
    wait_for,
)

pytestmark = pytest.mark.long

COUNT = "SELECT count(*), count(DISTINCT app || name) FROM django_migrations"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a new database, empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/newsroom.sqlite3"
        return
    try:
        with running_postgresql() as postgresql:
            yield postgresql.create("newsroom")
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


@pytest.fixture
def loaded(address: str, tmp_path: Path) -> Iterator[ForkServer]:
    """What runs commands on the database."""
    env = {"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": address}
    loaded = ForkServer(env)
    yield loaded
    loaded.end()


def applied(address: str) -> tuple[int, int]:
    """How many migrations are written down, and how many different ones."""
    if address.startswith("sqlite"):
        rows = sqlite3.connect(address.removeprefix("sqlite:///")).execute(COUNT).fetchone()
    else:
        with psycopg.connect(address) as to:
            rows = to.execute(COUNT).fetchone()
    assert rows is not None
    return rows[0], rows[1]


def start_migrating(address: str, tmp_path: Path) -> subprocess.Popen[str]:
    env = {"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": address}
    return subprocess.Popen(
        [sys.executable, "manage.py", "migrate"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_processes_that_migrate_at_once_do_it_once_and_all_succeed(
    address: str, tmp_path: Path
) -> None:
    processes = [start_migrating(address, tmp_path) for _ in range(3)]
    output = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], output
    assert sum("Applying newsletter.0001" in text for text in output) == 1
    assert sum("No migrations to apply" in text for text in output) == 2
    rows, different = applied(address)
    assert rows == different > 10

    # And once more, on what is there.
    again = start_migrating(address, tmp_path)
    assert "No migrations to apply" in again.communicate(timeout=60)[0]
    assert again.returncode == 0
    assert applied(address) == (rows, rows)


BEFORE = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("articles", "0001_what_the_newsroom_writes"), ("auth", "0001_initial")]).apps
owner = apps.get_model("auth", "User").objects.create(username="zubr")
for number, cover in enumerate(["covers/good.jpg", "covers/second.jpg", ""]):
    article = apps.get_model("articles", "Article").objects.create(
        owner=owner, created_at="2026-11-16T08:00Z", cover=cover, cover_credit=f"credit {number}",
        title_be="Бюджэт", body_be="<p>Расце.</p>")
    apps.get_model("articles", "ArticleLanguage").objects.create(
        article=article, language="be", revision=3, fingerprint="1:x", status="published",
        published_at="2026-11-16T08:00Z")
    if number == 1:
        apps.get_model("articles", "Correction").objects.create(
            article=article, language="be", note="n", corrected_at="2026-11-20T08:00Z")
"""
AFTER = """
from articles.models import Article
for article in Article.objects.order_by("pk"):
    cover, [revision] = article.cover, article.revisions.all()
    print(cover and (cover.credit, cover.width, cover.uploaded_by.username))
    print(revision.number, revision.title, revision.body, revision.saved_by)
    print(f"{article.article_languages.get().changed_at:%m-%d}")
"""


def test_existing_articles_get_revisions_and_prepared_covers(
    loaded: ForkServer, tmp_path: Path
) -> None:
    media = tmp_path / "var" / "media"
    good, second = media / "covers" / "good.jpg", media / "covers" / "second.jpg"
    good.parent.mkdir(parents=True)
    good.write_bytes(a_jpeg())
    second.write_bytes(a_jpeg()[:600])

    def shell(script: str) -> list[str]:
        done = loaded.script(script)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    manage = loaded.manage
    assert manage("migrate", "auth").returncode == 0
    assert manage("migrate", "articles", "0001").returncode == 0
    shell(BEFORE)
    refused = manage("migrate", "articles")
    assert refused.returncode != 0
    assert "The cover of article 2" in refused.stderr
    assert good.exists()
    assert list((media / "pictures").iterdir()) == []

    second.write_bytes(a_jpeg())
    done = manage("migrate")
    assert done.returncode == 0, done.stderr
    kept = "3 Бюджэт <p>Расце.</p> zubr"
    covers = ["('credit 0', 800, 'zubr')", "('credit 1', 800, 'zubr')", "None"]
    changed = ["11-16", "11-20", "11-16"]
    assert shell(AFTER) == [
        line for cover, day in zip(covers, changed, strict=True) for line in (cover, kept, day)
    ]
    assert not good.exists(), "it said where it was taken"


PUBLISHED = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("articles", "0006_a_lead_has_an_end"), ("auth", "0001_initial")]).apps
owner = apps.get_model("auth", "User").objects.create(username="zubr")
for status, withdrawn in [("published", None), ("draft", None), ("published", "2026-11-17T08:00Z")]:
    article = apps.get_model("articles", "Article").objects.create(
        owner=owner, created_at="2026-11-16T08:00Z", withdrawn_at=withdrawn,
        title_be="Бюджэт", body_be="<p>Расце ў Мінску.</p>")
    apps.get_model("articles", "ArticleLanguage").objects.create(
        article=article, language="be", revision=1, fingerprint="1:x", status=status,
        published_at="2026-11-16T08:00Z")
"""
FOUND = """
from articles.search.indexing import rebuild_index
from articles.models import SearchEntry
from articles.search.query import SearchQuery, search
def everything():
    return list(SearchEntry.objects.values())
print(list(search(SearchQuery("бюджэтам мінска", "be"), 1).page))
before = everything()
rebuild_index()
print(before == everything())
"""


def test_what_was_public_before_can_be_found(loaded: ForkServer) -> None:
    def said(done: CommandResult) -> list[str]:
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def manage(*words: str) -> list[str]:
        return said(loaded.manage(*words))

    manage("migrate", "auth")
    manage("migrate", "articles", "0006")
    said(loaded.script(PUBLISHED))
    manage("migrate")
    assert said(loaded.script(FOUND)) == ["[1]", "True"]
    # There and back again, as whoever has to take an upgrade back does.
    manage("migrate", "articles", "0006")
    manage("migrate")
    assert said(loaded.script(FOUND)) == ["[1]", "True"]


TOO_FAR = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO articles_digest (week, status, introduction, reopened_because,"
        " first_approved_of) VALUES ('9999-12-27', 'open', '', '', '')")
"""


def test_a_week_that_is_too_far_away_is_named_with_what_mends_it(loaded: ForkServer) -> None:
    assert loaded.manage("migrate", "articles", "0012").returncode == 0
    assert loaded.script(TOO_FAR).returncode == 0
    refused = loaded.manage("migrate", "articles")
    assert refused.returncode != 0
    [offered] = [line for line in refused.stderr.splitlines() if line.startswith("UPDATE")]
    assert offered == "UPDATE articles_digest SET week = '…' WHERE id = 1;  -- is 9999-12-27"
    mended = offered.replace("…", "2026-11-16")
    script = f"from django.db import connection; connection.cursor().execute({mended!r})"
    assert loaded.script(script).returncode == 0
    done = loaded.manage("migrate")
    assert done.returncode == 0, done.stderr


HASHED = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("newsletter", "0007_limits_and_relays")]).apps
apps.get_model("newsletter", "Suppression").objects.create(address_hash=b"h" * 32, reason="left")
"""
GENERATIONS = """
from newsletter.models import HashGeneration
print(list(HashGeneration.objects.values_list("generation", flat=True)))
"""


def test_hashes_that_were_there_before_are_of_the_first_generation(loaded: ForkServer) -> None:
    def said(done: CommandResult) -> str:
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    said(loaded.manage("migrate", "newsletter", "0007"))
    said(loaded.manage("migrate"))
    # No list yet: it begins under the newest key.
    assert said(loaded.script(GENERATIONS)) == "[]"
    said(loaded.manage("migrate", "newsletter", "0007"))
    said(loaded.script(HASHED))
    said(loaded.manage("migrate"))
    assert said(loaded.script(GENERATIONS)) == "[1]"


HOLD = """
import signal
from django.db import connection
from core.advisory_lock import advisory_lock
with advisory_lock(connection, "a name"):
    print("held", flush=True)
    signal.pause()
"""


ANSWERED = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("newsletter", "0007_limits_and_relays"), ("auth", "0001_initial")]).apps
def make(model, **fields):
    return apps.get_model("newsletter", model).objects.create(**fields)
edition = make("Edition", code="en", name="EN", languages=["en"], time_zone="UTC",
    sender_address="a@example.org", list_id="en.example.org")
subscriber = make("Subscriber", id=7, sealed_address=b"x", key_generation=1, provider="other",
    edition=edition, language="en", signed_up_at="2026-11-16T08:00Z")
manager = apps.get_model("auth", "User").objects.create(username="zubr")
make("Inquiry", asked_by=manager, asked_at="2026-11-16T08:00Z", sealed_address=b"",
    answer="known", subscriber=subscriber)
make("Import", uploaded_at="2026-11-16T08:00Z", status="checked",
    lines=47, new=17, known=9, suppressed=0, doubled=20, refused=1)
"""
ROUNDED = """
from newsletter.models import Import, SubscriberLookup
print([Import.objects.get().shown(name) for name in ("lines", "new", "known", "doubled")])
lookup = SubscriberLookup.objects.get()
print(lookup.answer, lookup.is_waiting, bytes(lookup.sealed_subject))
"""


def test_what_was_answered_before_names_no_row_and_no_exact_number(loaded: ForkServer) -> None:
    for words in (("auth",), ("newsletter", "0007")):
        done = loaded.manage("migrate", *words)
        assert done.returncode == 0, done.stderr
    done = loaded.script(ANSWERED)
    assert done.returncode == 0, done.stderr
    done = loaded.manage("migrate")
    assert done.returncode == 0, done.stderr
    assert loaded.script(ROUNDED).stdout.splitlines() == [
        "['47', '10–19', '0–9', '20–29']",
        "known False b''",
    ]


DUE = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("newsletter", "0010_hash_generation")]).apps
def make(model, **fields):
    return apps.get_model("newsletter", model).objects.create(**fields)
edition = make("Edition", code="en", name="EN", languages=["en"], time_zone="UTC",
    sender_address="a@example.org", list_id="en.example.org")
def come(id, **due):
    make("Subscriber", id=id, sealed_address=b"x", key_generation=1, provider="other",
        edition=edition, language="en", signed_up_at="2026-11-16T08:00Z", **due)
come(7, confirmation_due_at="2026-11-16T09:00Z")
come(8, confirmed_at="2026-11-16T10:00Z", status="active", welcome_due_at="2026-11-16T11:00Z",
    preferences_due_at="2026-11-17T11:00Z", preferences_asked_at="2026-11-17T10:00Z")
come(9)
"""
OUTBOX = """
from newsletter.models import OutboxMail
for mail in OutboxMail.objects.order_by("due_at"):
    print(mail.subscriber_id, mail.kind, f"{mail.created_at:%d %H} {mail.due_at:%d %H}")
"""


def test_mails_that_were_due_before_are_due_in_the_outbox(loaded: ForkServer) -> None:
    def done(ended: CommandResult) -> list[str]:
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    done(loaded.manage("migrate", "newsletter", "0010"))
    done(loaded.script(DUE))
    done(loaded.manage("migrate"))
    outbox = ["7 confirmation 16 08 16 09", "8 welcome 16 10 16 11", "8 preferences 17 10 17 11"]
    assert done(loaded.script(OUTBOX)) == outbox
    done(loaded.manage("migrate", "newsletter", "0010"))
    done(loaded.manage("migrate"))
    assert len(done(loaded.script(OUTBOX))) == 3


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def start_holding(
    tmp_path: Path, after: subprocess.Popen[str] | None = None
) -> subprocess.Popen[str]:
    """Says "held" once it holds the name, and keeps it; started once the other has said so."""
    if after is not None:
        assert said(after) == "held\n"
    env = {"VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": database_url(connection)}
    return subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", HOLD],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )


def waits(process: subprocess.Popen[str]) -> bool:
    """Whether it stands behind the one that holds the name."""
    assert process.poll() is None
    if connection.vendor == "sqlite":
        waiting = re.findall(r"-> FLOCK\s+\S+\s+\S+\s+(\d+)", Path("/proc/locks").read_text())
        return str(process.pid) in waiting
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_the_lock_blocks_and_a_killed_process_releases_it(tmp_path: Path) -> None:
    """On the tests' own database, so on SQLite and PostgreSQL both."""
    with start_holding(tmp_path) as first, start_holding(tmp_path, after=first) as second:
        try:
            wait_for(lambda: waits(second), "the second to wait for the first")
            first.kill()
            assert said(second) == "held\n"
        finally:
            first.kill()
            second.kill()
    with advisory_lock(connection, "a name"):
        """Nobody holds it any more."""
