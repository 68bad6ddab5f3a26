"""Nothing opens the list any more, whatever is broken meanwhile."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys.sealing import KeyNotFound
from newsletter.campaigns.lifecycle import launch
from newsletter.delivery.lanes import run_lane
from newsletter.models import (
    Delivery,
    Edition,
    Mailing,
    MailingStatus,
    SignUp,
    Subscriber,
    SubscriberLookup,
)
from newsletter.privacy import reencryption
from newsletter.subscribers import lookup, sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber, make_user
from tests.services import database_url, free_port

pytestmark = pytest.mark.both_databases
ROOT = Path(__file__).resolve().parents[3]
NOW = MONDAY_MORNING
PHRASE = ("--yes", "destroy the list")
LOOK_TWICE = """
import sys, django
django.setup()
from newsletter.models import Subscriber
from keys import sealing
subscriber = Subscriber.objects.get()
print(subscriber.address(sealing.worker_keys()), flush=True)
sys.stdin.readline()
try:
    print(subscriber.address(sealing.worker_keys()))
except sealing.KeyNotFound:
    print("KeyNotFound")
"""


@pytest.fixture(autouse=True)
def own_set(fresh_keys: Path) -> Path:
    """These are destroyed here."""
    return fresh_keys


def environment(settings: Settings, database: str) -> dict[str, str]:
    names = ("WORKER_KEY_FILE", "INTAKE_KEY_FILE", "LINKS_KEY_FILE")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "DATABASE_URL": database,
        **{name: str(getattr(settings, name)) for name in names},
    }


def sealed() -> set[bytes]:
    return set(map(bytes, Subscriber.objects.values_list("sealed_address", flat=True)))


@pytest.mark.django_db
def test_after_destroy_keys_nothing_opens_the_list(own_set: Path, relay: Catcher) -> None:
    mailing = make_mailing(readers=2)
    sign_up.sign_up("a@example.org", Edition.objects.get(), "en", NOW)
    lookup.request_lookup("a@example.org", make_user(), NOW)
    launch(mailing, NOW)
    call_command("destroy_keys", *PHRASE)
    assert list(own_set.iterdir()) == []
    assert not SignUp.objects.exists()
    assert not SubscriberLookup.objects.exists()
    assert sealed() == {b""}
    with pytest.raises(KeyNotFound):
        run_lane(mailing.pk, 0, lambda: NOW)
    with pytest.raises(KeyNotFound):
        sign_up.sign_up("a@example.org", Edition.objects.get(), "en", NOW)
    assert relay.letters == []
    # Nobody is marked as failed: a restored set of keys finds the ledger as it was.
    assert Mailing.objects.get().status == MailingStatus.SENDING
    assert Delivery.objects.still_to_send().count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_process_that_had_the_keys_loses_them(own_set: Path, settings: Settings) -> None:
    make_subscriber(edition=make_edition(), address="a@example.org")
    other = subprocess.Popen(
        [sys.executable, "-c", LOOK_TWICE],
        cwd=ROOT,
        env=environment(settings, database_url(connection)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "a@example.org\n"
        # Only the keys: what the other process holds of the row would still be there to open.
        with mock.patch.object(reencryption, "erase_sealed_data", return_value=[]):
            call_command("destroy_keys", *PHRASE)
        said, _errors = other.communicate("now\n", timeout=60)
        assert said == "KeyNotFound\n"
    finally:
        other.kill()
        other.wait()


def test_the_keys_go_though_no_database_answers(own_set: Path, settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "destroy_keys", *PHRASE],
        cwd=ROOT,
        env=environment(settings, f"postgres://newsroom@127.0.0.1:{free_port()}/newsroom"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(own_set.iterdir()) == []
    assert "Not erased: the database (OperationalError)" in done.stderr


@pytest.mark.django_db(transaction=True)
def test_a_locked_or_broken_table_does_not_protect_the_others(own_set: Path) -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    sign_up.sign_up("a@example.org", edition, "en", NOW)
    lookup.request_lookup("a@example.org", make_user(), NOW)
    errors = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE newsletter_subscriberlookup RENAME TO away")
    try:
        call_command("destroy_keys", *PHRASE, stderr=errors)
        assert sealed() == {b""}
        assert not SignUp.objects.exists()
        assert "Not erased: " in errors.getvalue()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO newsletter_subscriberlookup")


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_locked_rows_are_waited_for_some_seconds_only(own_set: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock, and its own limit on waiting for it")
    make_subscriber(edition=make_edition())
    holder = connection.copy()
    errors = io.StringIO()
    try:
        holder.set_autocommit(False)
        with holder.cursor() as cursor:
            cursor.execute("SELECT id FROM newsletter_subscriber FOR UPDATE")
        call_command("destroy_keys", *PHRASE, stderr=errors)
    finally:
        holder.close()
    assert list(own_set.iterdir()) == []
    assert "Not erased: subscribers (OperationalError)" in errors.getvalue()


@pytest.mark.django_db
def test_nothing_is_destroyed_without_the_phrase(own_set: Path) -> None:
    for words in ("yes", "destroy"):
        with pytest.raises(CommandError, match="Nothing was destroyed"):
            call_command("destroy_keys", "--yes", words)
    with (
        mock.patch("builtins.input", side_effect=EOFError),
        pytest.raises(CommandError, match="Nothing was destroyed"),
    ):
        call_command("destroy_keys")
    assert len(list(own_set.iterdir())) == 3
