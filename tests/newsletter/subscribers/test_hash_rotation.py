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
from django.conf import settings as live_settings
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from pytest_django.fixtures import Settings

from keys import sealing
from keys.sealing import DecryptionError, KeyNotFound, WorkerKeys
from newsletter import schedule
from newsletter.imports import apply, dry_run
from newsletter.imports.upload import import_from_chunks
from newsletter.models import (
    Departure,
    DeparturesLogPosition,
    Edition,
    HashGeneration,
    Import,
    LookupAction,
    LookupAnswer,
    SignUp,
    StagedSubscriber,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.privacy import reencryption
from newsletter.subscribers import departures, hash_rotation, lookup
from newsletter.subscribers import sign_up as subscribing
from newsletter.subscribers.departures import DeparturesLog, DeparturesLogBroken
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.services import database_url, wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
ROOT = Path(__file__).resolve().parents[3]
SUBSCRIBERS = [f"reader{number}@example.org" for number in range(5)]
COMPLAINED, LEFT, STAGED = "complained@example.org", "left@example.org", "staged@example.org"
ALL = [*SUBSCRIBERS, COMPLAINED, LEFT, STAGED]


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
    """On the list; gone, one of them in the departures log and one not yet; and in an import."""
    for address in SUBSCRIBERS:
        make_subscriber(edition=edition, address=address)
    make_subscriber(edition=edition, address=COMPLAINED).end(SubscriberStatus.COMPLAINED, NOW)
    # Rows of who has gone may go too: the suppression has to do alone.
    Subscriber.objects.filter(status=SubscriberStatus.COMPLAINED).delete()
    schedule.update_departures_log()
    make_subscriber(edition=edition, address=LEFT).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    row = import_from_chunks([f"email,edition\n{STAGED},{edition.code}\n".encode()], None, NOW)
    dry_run.check_import(row.pk, lambda: NOW)
    return row


def dump() -> set[bytes]:
    """All bytes that the newsletter's tables and the departures log hold about anybody."""
    found = set()
    for model in apps.get_app_config("newsletter").get_models():
        names = [one.name for one in model._meta.fields if isinstance(one, models.BinaryField)]
        for row in model._default_manager.values_list(*names) if names else ():
            found |= {bytes(value) for value in row if value}
    return found | {
        line.address_hash for line in DeparturesLog(live_settings.DEPARTURES_FILE).lines_after(0)
    }


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
                except DecryptionError:
                    pass
    return count


def asked(address: str) -> LookupAnswer:
    inquiry = lookup.request_lookup(address, make_user(), NOW)
    lookup.answer_lookup(inquiry.pk, NOW)
    inquiry.refresh_from_db()
    return LookupAnswer(inquiry.answer)


def sign_up(address: str, edition: Edition) -> int | None:
    return subscribing.process_sign_up(subscribing.sign_up(address, edition, "en", NOW).pk, NOW)


def everybody_is_known(edition: Edition) -> bool:
    """Nobody comes to the list a second time, or back to it against their word."""
    before = Subscriber.objects.count()
    assert [asked(one) for one in SUBSCRIBERS] == [LookupAnswer.KNOWN] * len(SUBSCRIBERS)
    assert asked(COMPLAINED) == LookupAnswer.SUPPRESSED
    assert asked(LEFT) == LookupAnswer.KNOWN
    assert asked("stranger@example.org") == LookupAnswer.UNKNOWN
    for address in [*SUBSCRIBERS, COMPLAINED]:
        assert sign_up(address, edition) is None
    keys = sealing.worker_keys()
    assert {one.address(keys) for one in Subscriber.objects.active()} == set(SUBSCRIBERS)
    return Subscriber.objects.count() == before


# --- A thief ---------------------------------------------------------------------------


def test_an_old_key_with_a_new_dump_recognises_nobody(edition: Edition, stolen: Path) -> None:
    people(edition)
    thief = sealing.load_worker_keys(stolen)
    assert recognised(thief, ALL) == set(ALL), "before the rotation it does"
    assert opened(thief) == len(SUBSCRIBERS) + 1
    rotate(finish=False)
    assert recognised(thief, ALL) == set()
    call_command("rotate_keys", "--finish")
    later = ["later@example.org", "leaves.later@example.org"]
    for address in later:
        assert sign_up(address, edition)
    Subscriber.objects.latest("signed_up_at").end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    assert recognised(thief, [*ALL, *later]) == set()
    assert opened(thief) == 0
    assert recognised(sealing.worker_keys(), [*ALL, *later]) == {*ALL, *later}


def test_every_table_with_a_hash_is_rehashed() -> None:
    hashed = {
        model
        for model in apps.get_app_config("newsletter").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.BinaryField) and "hash" in field.name
    }
    assert hashed == set(hash_rotation.HASHED_MODELS)


# --- Nobody is forgotten, and nobody comes back -----------------------------------------


def test_who_is_suppressed_stays_so_after_two_rotations(edition: Edition) -> None:
    people(edition)
    for _number in range(2):
        rotate()
        assert everybody_is_known(edition)
    assert set(sealing.worker_keys().secrets) == {3}
    assert HashGeneration.objects.get().generation == 3
    row = import_from_chunks([f"email,edition\n{COMPLAINED},{edition.code}\n".encode()], None, NOW)
    dry_run.check_import(row.pk, lambda: NOW)
    row.refresh_from_db()
    assert row.lines == 1
    assert not row.staged.exists()


def test_between_rotation_and_reencryption_everybody_is_recognised(edition: Edition) -> None:
    people(edition)
    call_command("rotate_keys")
    assert everybody_is_known(edition)


def test_two_rotations_before_rehashing_are_as_good_as_one(edition: Edition) -> None:
    people(edition)
    call_command("rotate_keys")
    rotate()
    assert everybody_is_known(edition)


def test_a_new_list_starts_with_the_newest_generation(edition: Edition) -> None:
    rotate()
    make_subscriber(edition=edition, address="a@example.org")
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert bytes(Subscriber.objects.get().address_hash or b"") == mark


def test_an_import_from_before_a_rotation_adds_nobody_who_has_unsubscribed_since(
    edition: Edition,
) -> None:
    row = people(edition)
    make_subscriber(edition=edition, address=STAGED).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    rotate()
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, lambda: NOW)
    assert not StagedSubscriber.objects.exists()
    assert everybody_is_known(edition)


def test_an_import_under_way_goes_on_while_the_keys_are_rotated(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(edition)
    lines = [f"new{number}@example.org,{edition.code}\n" for number in range(4)]
    text = "".join(["email,edition\n", *lines[:2], f"{COMPLAINED},{edition.code}\n", *lines])
    row = import_from_chunks([text.encode()], None, NOW)
    monkeypatch.setattr(dry_run, "BATCH_SIZE", 2)
    renew = Import.renew

    def rotates_first(self: Import, now: Any) -> None:
        if HashGeneration.objects.get().generation == 1:
            rotate(finish=False)
        renew(self, now)

    monkeypatch.setattr(Import, "renew", rotates_first)
    dry_run.check_import(row.pk, lambda: NOW)
    row.refresh_from_db()
    assert row.lines == 7
    staged = row.staged.exclude(sealed_address=b"")
    assert staged.count() == 4, "two came twice, and one is suppressed"


@pytest.mark.parametrize("how", ["leaves", "confirms", "is forgotten", "is lifted"])
def test_a_stale_row_from_before_rehashing_acts_on_the_current_hash(
    edition: Edition, how: str
) -> None:
    """A web process read it, and has no key to hash it anew."""
    sign_up("a@example.org", edition)
    Suppression.objects.create(
        address_hash=Subscriber.objects.get().address_hash, reason=SubscriberStatus.UNSUBSCRIBED
    )
    stale, question = (
        Subscriber.objects.get(),
        lookup.request_lookup("a@example.org", make_user(), NOW),
    )
    lookup.answer_lookup(question.pk, NOW)
    question.refresh_from_db()
    rotate(finish=False)
    if how == "leaves":
        stale.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    elif how == "confirms":
        stale.confirm(NOW)
    elif how == "is forgotten":
        stale.forget(NOW)
    else:
        assert question.request_action(LookupAction.LIFT)
        lookup.apply_requested_action(question.pk, NOW)
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert bytes(Departure.objects.get().address_hash) == mark
    left = [bytes(one.address_hash) for one in Suppression.objects.all()]
    assert left == ([mark] if how == "leaves" else [])


# --- Several hosts ---------------------------------------------------------------------


def test_a_host_with_older_keys_than_the_lists_adds_nobody_and_loses_nobody(
    edition: Edition, settings: Settings, stolen: Path
) -> None:
    people(edition)
    rotate()
    waiting = subscribing.sign_up(COMPLAINED, edition, "en", NOW)
    settings.WORKER_KEY_FILE, here = stolen, settings.WORKER_KEY_FILE
    with pytest.raises(KeyNotFound, match="no generation 2"):
        subscribing.process_sign_up(waiting.pk, NOW)
    assert SignUp.objects.filter(pk=waiting.pk).exists()
    with pytest.raises(CommandError, match="under a newer generation"):
        call_command("rotate_keys")
    with pytest.raises(CommandError, match="no generation 2"):
        call_command("reencrypt_list")
    Departure.objects.create(address_hash=b"0" * 32, kind="l", at=NOW)
    with pytest.raises(DeparturesLogBroken, match="no generation 2"):
        departures.append_pending()
    Departure.objects.all().delete()
    settings.WORKER_KEY_FILE = here
    assert subscribing.process_sign_up(waiting.pk, NOW) is None
    assert everybody_is_known(edition)


# --- Restored backups and the log ------------------------------------------------------


def test_a_backup_from_before_a_rotation_replays_departures_from_after_it(edition: Edition) -> None:
    people(edition)
    schedule.update_departures_log()
    tables = (Subscriber, Suppression, Departure, DeparturesLogPosition, HashGeneration)
    backup = {model: list(model._default_manager.values()) for model in tables}
    rotate()
    keys = sealing.worker_keys()
    mark = keys.hash_address(SUBSCRIBERS[0], 2)
    Subscriber.objects.get(address_hash=mark).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    for model, rows in backup.items():
        model._default_manager.all().delete()
        model._default_manager.bulk_create([model(**row) for row in rows])
    assert HashGeneration.objects.get().generation == 1
    assert departures.replay_missed() == 1
    assert Subscriber.objects.get(address_hash=mark).is_gone
    assert asked(COMPLAINED) == LookupAnswer.SUPPRESSED
    assert [asked(one) for one in SUBSCRIBERS] == [LookupAnswer.KNOWN] * len(SUBSCRIBERS)


def test_a_log_of_format_1_is_rehashed(edition: Edition) -> None:
    keys = sealing.worker_keys()
    mark = keys.hash_address(COMPLAINED, 1)
    live_settings.DEPARTURES_FILE.parent.mkdir(parents=True)
    live_settings.DEPARTURES_FILE.write_text(
        f"newsroom departures 1 {'a' * 16} {7:015}\n{int(NOW.timestamp()):012} c {mark.hex()}\n"
    )
    DeparturesLogPosition.objects.create(journal="a" * 16, lines=7)
    assert departures.replay_missed() == 1
    assert asked(COMPLAINED) == LookupAnswer.SUPPRESSED
    rotate()
    found = DeparturesLog(live_settings.DEPARTURES_FILE)
    assert (found.generation, found.pruned, found.line_count) == (2, 7, 8)
    mark = sealing.worker_keys().hash_address(COMPLAINED, 2)
    assert [line.address_hash for line in found.lines_after(0)] == [mark]
    make_subscriber(edition=edition, address=LEFT).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    assert DeparturesLog(live_settings.DEPARTURES_FILE).line_count == 9
    assert departures.replay_missed() == 0


def test_a_log_whose_disk_was_full_is_rehashed_before_its_next_line(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(edition)
    schedule.update_departures_log()

    def full(*_about: Any) -> None:
        raise OSError(28, "No space left on device")

    call_command("rotate_keys")
    with monkeypatch.context() as patch:
        patch.setattr(DeparturesLog, "_rewrite", full)
        with pytest.raises(CommandError, match=r"departures log cannot be written.*No space"):
            call_command("reencrypt_list")
    assert DeparturesLog(live_settings.DEPARTURES_FILE).generation == 1
    assert everybody_is_known(edition)
    Subscriber.objects.active()[0].end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    assert DeparturesLog(live_settings.DEPARTURES_FILE).generation == 2


# --- Killed at any step ----------------------------------------------------------------


DOOMED = """
import os, django
django.setup()
from pathlib import Path
from django.core.management import call_command
from newsletter.privacy import reencryption
from newsletter.subscribers import departures, hash_rotation
from keys import keyring
reencryption.BATCH_SIZE = 2
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
    "before the departures log": "departures.DeparturesLog.rehash = die",
    "before the log's new file is in its place": "Path.replace = die",
    "before the intake key": "keyring.renew_intake_key = die",
    "before the seals": "reencryption.reencrypt = die",
    "between two batches of seals": "reencryption._write = at_the(3, reencryption._write)",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "step",
    [
        *list(STEPS)[:1],
        *(pytest.param(step, marks=pytest.mark.long) for step in list(STEPS)[1:]),
    ],
)
def test_killed_at_any_step_nobody_is_lost_and_the_next_run_completes(
    settings: Settings, step: str, stolen: Path
) -> None:
    edition = make_edition()
    people(edition)
    call_command("rotate_keys")
    names = ("WORKER_KEY_FILE", "INTAKE_KEY_FILE", "LINKS_KEY_FILE", "DEPARTURES_FILE")
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
    schedule.update_departures_log()
    assert everybody_is_known(edition)
    assert recognised(sealing.load_worker_keys(stolen), ALL) == set()
    assert DeparturesLog(settings.DEPARTURES_FILE).line_count == 2


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
def test_rows_written_during_rehashing_are_rehashed_too(
    threads: ThreadPoolExecutor, who: str
) -> None:
    edition = make_edition()
    subscriber = make_subscriber(edition=edition, address="a@example.org")
    waiting = subscribing.sign_up("b@example.org", edition, "en", NOW)
    row = import_from_chunks([b"email,edition\nb@example.org,en\n"], None, NOW)
    dry_run.check_import(row.pk, lambda: NOW)
    apply.request_apply(row, make_user(), NOW)
    call_command("rotate_keys")
    with transaction.atomic():
        if who == "is imported":
            assert apply.apply_import(row.pk, lambda: NOW)
        elif who == "signs up":
            assert subscribing.process_sign_up(waiting.pk, NOW)
        else:
            assert subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
        racing = on_its_own(threads, hash_rotation.rehash_rows, sealing.worker_keys(), 2)
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
def test_sign_ups_and_unsubscribes_during_rehashing_wait_and_use_the_new_hash(
    threads: ThreadPoolExecutor, who: str
) -> None:
    edition = make_edition()
    subscriber = make_subscriber(edition=edition, address="a@example.org")
    Suppression.objects.create(
        address_hash=sealing.worker_keys().hash_address("b@example.org", 1), reason="complained"
    )
    waiting = subscribing.sign_up("b@example.org", edition, "en", NOW)
    call_command("rotate_keys")

    def act() -> object:
        if who == "signs up":
            return subscribing.process_sign_up(waiting.pk, NOW)
        with transaction.atomic():
            return subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)

    with transaction.atomic():
        assert hash_rotation.rehash_rows(sealing.worker_keys(), 2) == 2
        racing = on_its_own(threads, act)
        if connection.vendor == "postgresql":
            wait_for(somebody_waits_for_a_lock, "who comes or leaves")
        assert not racing.done()
    assert racing.result(60) == (None if who == "signs up" else True)
    assert Subscriber.objects.count() == 1
    mark = sealing.worker_keys().hash_address("a@example.org", 2)
    assert Suppression.objects.filter(address_hash=mark).exists() == (who == "leaves")
