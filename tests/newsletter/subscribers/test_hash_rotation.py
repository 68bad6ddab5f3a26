"""Whoever has an older key recognises nobody; whoever has the newest, everybody."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as live
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from pytest_django.fixtures import Settings

from keys import sealing
from keys.sealing import KeyMissing, SealBroken, WorkerKeys
from newsletter import schedule
from newsletter.imports import apply, dry_run
from newsletter.imports.upload import take_whole
from newsletter.models import (
    Answer,
    Departure,
    Edition,
    HashGeneration,
    Import,
    JournalMark,
    SignUp,
    StagedReader,
    Subscriber,
    SubscriberStatus,
    Suppression,
    Wish,
)
from newsletter.privacy import reencryption
from newsletter.subscribers import departures, hash_rotation, lookup
from newsletter.subscribers import sign_up as subscribing
from newsletter.subscribers.departures import Journal, JournalBroken
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.services import database_url, wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
ROOT = Path(__file__).resolve().parents[3]
READERS = [f"reader{number}@example.org" for number in range(5)]
COMPLAINED, LEFT, STAGED = "complained@example.org", "left@example.org", "staged@example.org"
ALL = [*READERS, COMPLAINED, LEFT, STAGED]


@pytest.fixture(autouse=True)
def own_set(fresh_keys: Path) -> Path:
    """These are changed here."""
    return fresh_keys


@pytest.fixture
def edition() -> Edition:
    return make_edition()


@pytest.fixture
def stolen(own_set: Path, tmp_path: Path) -> Path:
    """A copy of the worker's key from before any rotation."""
    return Path(shutil.copy(own_set / "worker.key", tmp_path / "stolen.key"))


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def rotate(*, finish: bool = True) -> None:
    call_command("rotate_keys")
    call_command("reencrypt_list")
    if finish:
        call_command("rotate_keys", "--finish")


def people(edition: Edition) -> Import:
    """On the list; gone, one of them told to the journal and one not yet; and in an import."""
    for address in READERS:
        make_subscriber(edition=edition, address=address)
    make_subscriber(edition=edition, address=COMPLAINED).end(SubscriberStatus.COMPLAINED, NOW)
    # Rows of who has gone may go too: the suppression has to do alone.
    Subscriber.objects.filter(status=SubscriberStatus.COMPLAINED).delete()
    schedule.keep_the_journal()
    make_subscriber(edition=edition, address=LEFT).end(SubscriberStatus.LEFT, NOW)
    row = take_whole([f"email,edition\n{STAGED},{edition.code}\n".encode()], None, NOW)
    dry_run.check(row.pk, lambda: NOW)
    return row


def dump() -> set[bytes]:
    """All bytes that the newsletter's tables and the journal hold about anybody."""
    found = set()
    for model in apps.get_app_config("newsletter").get_models():
        names = [one.name for one in model._meta.fields if isinstance(one, models.BinaryField)]
        for row in model._default_manager.values_list(*names) if names else ():
            found |= {bytes(value) for value in row if value}
    return found | {line.address_hash for line in Journal(live.JOURNAL_FILE).since(0)}


def recognised(keys: WorkerKeys, addresses: list[str]) -> set[str]:
    """Whom these keys know again in a dump, by any hash that they can compute."""
    found = dump()
    return {
        address
        for address in addresses
        for generation in keys.hash_keys
        if keys.hash_address(address, generation) in found
    }


def opened(keys: WorkerKeys) -> int:
    """How many seals of the list these keys open, whatever generation they try."""
    count = 0
    for model, number in reencryption.LIST_SEALS:
        for row, sealed in model._default_manager.values_list(number, "sealed_address"):
            for generation in keys.secrets:
                try:
                    keys.open_address(bytes(sealed), row, generation)
                    count += 1
                except SealBroken:
                    pass
    return count


def asked(address: str) -> Answer:
    inquiry = lookup.ask(address, make_user(), NOW)
    lookup.answer(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    return Answer(inquiry.answer)


def sign_up(address: str, edition: Edition) -> int | None:
    return subscribing.process_sign_up(subscribing.sign_up(address, edition, "en", NOW).pk, NOW)


def everybody_is_known(edition: Edition) -> bool:
    """Nobody comes to the list a second time, or back to it against their word."""
    before = Subscriber.objects.count()
    assert [asked(one) for one in READERS] == [Answer.KNOWN] * len(READERS)
    assert asked(COMPLAINED) == Answer.SUPPRESSED
    assert asked(LEFT) == Answer.KNOWN
    assert asked("stranger@example.org") == Answer.UNKNOWN
    for address in [*READERS, COMPLAINED]:
        assert sign_up(address, edition) is None
    keys = sealing.worker_keys()
    assert {one.address(keys) for one in Subscriber.objects.active()} == set(READERS)
    return Subscriber.objects.count() == before


# --- A thief ---------------------------------------------------------------------------


def test_an_old_key_with_a_new_dump_recognises_nobody(edition: Edition, stolen: Path) -> None:
    people(edition)
    thief = sealing.load_worker_keys(stolen)
    assert recognised(thief, ALL) == set(ALL), "before the rotation it does"
    assert opened(thief) == len(READERS) + 1
    rotate(finish=False)
    assert recognised(thief, ALL) == set()
    call_command("rotate_keys", "--finish")
    later = ["later@example.org", "leaves.later@example.org"]
    for address in later:
        assert sign_up(address, edition)
    Subscriber.objects.latest("signed_up_at").end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    assert recognised(thief, [*ALL, *later]) == set()
    assert opened(thief) == 0
    assert recognised(sealing.worker_keys(), [*ALL, *later]) == {*ALL, *later}


def test_every_table_with_a_hash_is_carried_on() -> None:
    hashed = {
        model
        for model in apps.get_app_config("newsletter").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.BinaryField) and "hash" in field.name
    }
    assert hashed == set(hash_rotation.HASHED)


# --- Nobody is forgotten, and nobody comes back -----------------------------------------


def test_who_is_suppressed_stays_so_after_two_rotations(edition: Edition) -> None:
    people(edition)
    for _number in range(2):
        rotate()
        assert everybody_is_known(edition)
    assert set(sealing.worker_keys().secrets) == {3}
    assert HashGeneration.objects.get().generation == 3
    row = take_whole([f"email,edition\n{COMPLAINED},{edition.code}\n".encode()], None, NOW)
    dry_run.check(row.pk, lambda: NOW)
    row.refresh_from_db()
    assert row.lines == 1
    assert not row.staged.exists()


def test_between_rotating_and_sealing_anew_everybody_is_known(edition: Edition) -> None:
    people(edition)
    call_command("rotate_keys")
    assert everybody_is_known(edition)


def test_two_rotations_before_the_list_is_hashed_anew_are_as_good_as_one(edition: Edition) -> None:
    people(edition)
    call_command("rotate_keys")
    rotate()
    assert everybody_is_known(edition)


def test_a_list_that_begins_begins_under_the_newest_key(edition: Edition) -> None:
    rotate()
    make_subscriber(edition=edition, address="a@example.org")
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert bytes(Subscriber.objects.get().address_hash or b"") == mark


def test_an_import_from_before_a_rotation_adds_nobody_who_has_left_since(edition: Edition) -> None:
    row = people(edition)
    make_subscriber(edition=edition, address=STAGED).end(SubscriberStatus.LEFT, NOW)
    rotate()
    apply.ask_to_apply(row, make_user(), NOW)
    apply.apply(row.pk, lambda: NOW)
    assert not StagedReader.objects.exists()
    assert everybody_is_known(edition)


def test_an_import_under_way_goes_on_while_the_keys_are_rotated(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(edition)
    lines = [f"new{number}@example.org,{edition.code}\n" for number in range(4)]
    text = "".join(["email,edition\n", *lines[:2], f"{COMPLAINED},{edition.code}\n", *lines])
    row = take_whole([text.encode()], None, NOW)
    monkeypatch.setattr(dry_run, "BATCH", 2)
    renew = Import.renew

    def rotates_first(self: Import, now: Any) -> None:
        if HashGeneration.objects.get().generation == 1:
            rotate(finish=False)
        renew(self, now)

    monkeypatch.setattr(Import, "renew", rotates_first)
    dry_run.check(row.pk, lambda: NOW)
    row.refresh_from_db()
    assert row.lines == 7
    staged = row.staged.exclude(sealed_address=b"")
    assert staged.count() == 4, "two came twice, and one is suppressed"


@pytest.mark.parametrize("how", ["leaves", "confirms", "is forgotten", "is lifted"])
def test_who_acts_on_a_row_from_before_the_hashes_changed_acts_on_what_it_is_now(
    edition: Edition, how: str
) -> None:
    """A web process read it, and has no key to hash it anew."""
    sign_up("a@example.org", edition)
    Suppression.objects.create(
        address_hash=Subscriber.objects.get().address_hash, reason=SubscriberStatus.LEFT
    )
    stale, question = Subscriber.objects.get(), lookup.ask("a@example.org", make_user(), NOW)
    lookup.answer(question.pk, NOW)
    question.refresh_from_db()
    rotate(finish=False)
    if how == "leaves":
        stale.end(SubscriberStatus.LEFT, NOW)
    elif how == "confirms":
        stale.confirm(NOW)
    elif how == "is forgotten":
        stale.forget(NOW)
    else:
        assert question.wish_for(Wish.LIFT)
        lookup.carry_out(question.pk, NOW)
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert bytes(Departure.objects.get().address_hash) == mark
    left = [bytes(one.address_hash) for one in Suppression.objects.all()]
    assert left == ([mark] if how == "leaves" else [])


# --- Several hosts ---------------------------------------------------------------------


def test_a_host_with_older_keys_than_the_lists_takes_nobody_in_and_loses_nobody(
    edition: Edition, settings: Settings, stolen: Path
) -> None:
    people(edition)
    rotate()
    waiting = subscribing.sign_up(COMPLAINED, edition, "en", NOW)
    settings.WORKER_KEY_FILE, here = stolen, settings.WORKER_KEY_FILE
    with pytest.raises(KeyMissing, match="no generation 2"):
        subscribing.process_sign_up(waiting.pk, NOW)
    assert SignUp.objects.filter(pk=waiting.pk).exists()
    with pytest.raises(CommandError, match="under a newer generation"):
        call_command("rotate_keys")
    with pytest.raises(CommandError, match="no generation 2"):
        call_command("reencrypt_list")
    Departure.objects.create(address_hash=b"0" * 32, kind="l", at=NOW)
    with pytest.raises(JournalBroken, match="no generation 2"):
        departures.write_down()
    Departure.objects.all().delete()
    settings.WORKER_KEY_FILE = here
    assert subscribing.process_sign_up(waiting.pk, NOW) is None
    assert everybody_is_known(edition)


# --- Restored backups and the journal --------------------------------------------------


def test_a_backup_from_before_a_rotation_hears_who_left_after_it(edition: Edition) -> None:
    people(edition)
    schedule.keep_the_journal()
    tables = (Subscriber, Suppression, Departure, JournalMark, HashGeneration)
    backup = {model: list(model._default_manager.values()) for model in tables}
    rotate()
    keys = sealing.worker_keys()
    mark = keys.hash_address(READERS[0], 2)
    Subscriber.objects.get(address_hash=mark).end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    for model, rows in backup.items():
        model._default_manager.all().delete()
        model._default_manager.bulk_create([model(**row) for row in rows])
    assert HashGeneration.objects.get().generation == 1
    assert departures.catch_up() == 1
    assert Subscriber.objects.get(address_hash=mark).is_gone
    assert asked(COMPLAINED) == Answer.SUPPRESSED
    assert [asked(one) for one in READERS] == [Answer.KNOWN] * len(READERS)


def test_a_journal_from_before_hashes_had_generations_is_carried_on(edition: Edition) -> None:
    keys = sealing.worker_keys()
    mark = keys.hash_address(COMPLAINED, 1)
    live.JOURNAL_FILE.parent.mkdir(parents=True)
    live.JOURNAL_FILE.write_text(
        f"newsroom departures 1 {'a' * 16} {7:015}\n{int(NOW.timestamp()):012} c {mark.hex()}\n"
    )
    JournalMark.objects.create(journal="a" * 16, lines=7)
    assert departures.catch_up() == 1
    assert asked(COMPLAINED) == Answer.SUPPRESSED
    rotate()
    found = Journal(live.JOURNAL_FILE)
    assert (found.generation, found.pruned, found.lines) == (2, 7, 8)
    mark = sealing.worker_keys().hash_address(COMPLAINED, 2)
    assert [line.address_hash for line in found.since(0)] == [mark]
    make_subscriber(edition=edition, address=LEFT).end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    assert Journal(live.JOURNAL_FILE).lines == 9
    assert departures.catch_up() == 0


def test_a_journal_whose_disk_was_full_follows_before_its_next_line(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(edition)
    schedule.keep_the_journal()

    def full(*_about: Any) -> None:
        raise OSError(28, "No space left on device")

    call_command("rotate_keys")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_rewrite", full)
        with pytest.raises(CommandError, match=r"journal of departures cannot be kept.*No space"):
            call_command("reencrypt_list")
    assert Journal(live.JOURNAL_FILE).generation == 1
    assert everybody_is_known(edition)
    Subscriber.objects.active()[0].end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    assert Journal(live.JOURNAL_FILE).generation == 2


# --- Killed at any step ----------------------------------------------------------------


DOOMED = """
import os, django
django.setup()
from pathlib import Path
from django.core.management import call_command
from newsletter.privacy import reencryption as resealing
from newsletter.subscribers import departures as journal, hash_rotation
from keys import keyring
resealing.BATCH = 2
def die(*_about):
    os.kill(os.getpid(), 9)
def at_the(number, real):
    calls = []
    def call(*about):
        calls.append(1)
        return die() if len(calls) == number else real(*about)
    return call
{step}
call_command("reencrypt_list")
"""
STEPS = {
    "between two tables of hashes": "hash_rotation._batches = at_the(3, hash_rotation._batches)",
    "before the journal": "journal.Journal.carry_on = die",
    "before the journal's new file is in its place": "Path.replace = die",
    "before the intake key": "keyring.renew_intake = die",
    "before the seals": "resealing.reseal = die",
    "between two batches of seals": "resealing._write = at_the(3, resealing._write)",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "step",
    [
        *list(STEPS)[:1],
        *(pytest.param(step, marks=pytest.mark.long) for step in list(STEPS)[1:]),
    ],
)
def test_killed_at_any_step_nobody_is_lost_and_the_next_try_ends_it(
    settings: Settings, step: str, stolen: Path
) -> None:
    edition = make_edition()
    people(edition)
    call_command("rotate_keys")
    names = ("WORKER_KEY_FILE", "INTAKE_KEY_FILE", "LINKS_KEY_FILE", "JOURNAL_FILE")
    killed = subprocess.run(
        [sys.executable, "-c", DOOMED.format(step=STEPS[step])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "DATABASE_URL": database_url(connection),
            **{name: str(getattr(settings, name)) for name in names},
        },
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert everybody_is_known(edition)
    call_command("reencrypt_list")
    call_command("rotate_keys", "--finish")
    schedule.keep_the_journal()
    assert everybody_is_known(edition)
    assert recognised(sealing.load_worker_keys(stolen), ALL) == set()
    assert Journal(settings.JOURNAL_FILE).lines == 2


# --- Others at the same moment ---------------------------------------------------------


def on_its_own(pool: ThreadPoolExecutor, work: Callable[..., Any], *about: object) -> Future[Any]:
    """In a thread, on a connection that is closed afterwards."""

    def whole() -> Any:
        try:
            return work(*about)
        finally:
            connection.close()

    return pool.submit(whole)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["signs up", "leaves", "is imported"])
def test_what_another_writes_at_that_moment_is_hashed_anew_too(
    threads: ThreadPoolExecutor, who: str
) -> None:
    edition = make_edition()
    reader = make_subscriber(edition=edition, address="a@example.org")
    waiting = subscribing.sign_up("b@example.org", edition, "en", NOW)
    row = take_whole([b"email,edition\nb@example.org,en\n"], None, NOW)
    dry_run.check(row.pk, lambda: NOW)
    apply.ask_to_apply(row, make_user(), NOW)
    call_command("rotate_keys")
    with transaction.atomic():
        if who == "is imported":
            assert apply.apply(row.pk, lambda: NOW)
        elif who == "signs up":
            assert subscribing.process_sign_up(waiting.pk, NOW)
        else:
            assert reader.end(SubscriberStatus.LEFT, NOW)
        racing = on_its_own(threads, hash_rotation.carry_on, sealing.worker_keys(), 2)
        if connection.vendor == "postgresql":
            wait_for(somebody_waits_for_a_lock, "who hashes anew")
        assert not racing.done()
    assert racing.result(60) == {"signs up": 3, "leaves": 4, "is imported": 2}[who]
    address = "a@example.org" if who == "leaves" else "b@example.org"
    mark = sealing.worker_keys().hash_address(address, 2)
    assert Subscriber.objects.filter(address_hash=mark).exists()
    assert Suppression.objects.filter(address_hash=mark).exists() == (who == "leaves")
    assert Departure.objects.filter(address_hash=mark).exists() == (who == "leaves")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("who", ["signs up", "leaves"])
def test_who_comes_or_leaves_while_hashes_change_waits_and_is_known_by_the_new_one(
    threads: ThreadPoolExecutor, who: str
) -> None:
    edition = make_edition()
    reader = make_subscriber(edition=edition, address="a@example.org")
    Suppression.objects.create(
        address_hash=sealing.worker_keys().hash_address("b@example.org", 1), reason="complained"
    )
    waiting = subscribing.sign_up("b@example.org", edition, "en", NOW)
    call_command("rotate_keys")

    def act() -> object:
        if who == "signs up":
            return subscribing.process_sign_up(waiting.pk, NOW)
        with transaction.atomic():
            return reader.end(SubscriberStatus.LEFT, NOW)

    with transaction.atomic():
        assert hash_rotation.carry_on(sealing.worker_keys(), 2) == 2
        racing = on_its_own(threads, act)
        if connection.vendor == "postgresql":
            wait_for(somebody_waits_for_a_lock, "who comes or leaves")
        assert not racing.done()
    assert racing.result(60) == (None if who == "signs up" else True)
    assert Subscriber.objects.count() == 1
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert Suppression.objects.filter(address_hash=mark).exists() == (who == "leaves")
