"""The list under new keys, and without any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from keys import keyring, sealing
from newsletter.imports import apply, dry_run
from newsletter.imports.upload import import_from_chunks
from newsletter.models import (
    SignUp,
    StagedSubscriber,
    Subscriber,
    SubscriberLookup,
    SubscriberStatus,
)
from newsletter.privacy import reencryption
from newsletter.subscribers import lookup, sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user
from tests.services import database_url

pytestmark = pytest.mark.both_databases
ROOT = Path(__file__).resolve().parents[3]
NOW = MONDAY_MORNING
RESEAL = """
import os, django
django.setup()
from newsletter.privacy import reencryption
reencryption.BATCH_SIZE = 3
def report(done):
    print(done, flush=True)
    if done >= 6:
        os.kill(os.getpid(), 9)
reencryption.reencrypt(report)
"""


MEET_AND_REENCRYPT = """
import sys, django
django.setup()
from newsletter.privacy import reencryption
reencryption.BATCH_SIZE = 3
print("ready", flush=True)
sys.stdin.readline()
reencryption.reencrypt(lambda done: None)
"""


@pytest.fixture(autouse=True)
def own_set(fresh_keys: Path) -> Path:
    """These are changed and destroyed here."""
    return fresh_keys


def rotate(folder: Path) -> None:
    keyring.add_generation(folder / "worker.key")
    keyring.renew_intake_key(folder / "worker.key", folder / "intake.pub")


def environment(settings: Settings) -> dict[str, str]:
    names = ("WORKER_KEY_FILE", "INTAKE_KEY_FILE", "LINKS_KEY_FILE")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "DATABASE_URL": database_url(connection),
        **{name: str(getattr(settings, name)) for name in names},
    }


def generations() -> list[int]:
    return sorted(Subscriber.objects.values_list("key_generation", flat=True))


def open_all() -> set[str]:
    keys = sealing.worker_keys()
    return {subscriber.address(keys) for subscriber in Subscriber.objects.active()}


@pytest.mark.django_db
def test_every_address_comes_under_the_newest_generation(own_set: Path) -> None:
    edition = make_edition()
    wanted = {f"r{number}@example.org" for number in range(5)}
    for address in wanted:
        make_subscriber(edition=edition, address=address)
    make_subscriber(edition=edition).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    rotate(own_set)
    said: list[int] = []
    with mock.patch.object(reencryption, "BATCH_SIZE", 2):
        assert reencryption.reencrypt(said.append) == 5
    assert said == [2, 4, 5]
    assert open_all() == wanted
    assert generations() == [1, 2, 2, 2, 2, 2]
    assert reencryption.reencrypt(said.append) == 0
    call_command("rotate_keys", "--finish", verbosity=0)
    assert open_all() == wanted


@pytest.mark.django_db
def test_addresses_from_before_they_were_padded_are_sealed_as_long_as_every_other(
    seal_without_padding: Callable[[str, int], bytes],
) -> None:
    """Without a rotation: an upgrade is enough."""
    edition = make_edition(code="en")
    wanted = {"a@b.by", f"{'long' * 15}@{'domain' * 10}.example.org", "reader@example.org"}
    for address in wanted:
        subscriber = make_subscriber(edition=edition, address=address)
        subscriber.sealed_address = seal_without_padding(address, subscriber.pk)
        subscriber.save()
    row = import_from_chunks(
        [b"email,edition\nc@d.by,en\nsomebody.else@example.org,en\n"], None, NOW
    )
    dry_run.check_import(row.pk, lambda: NOW)
    staged = StagedSubscriber.objects.order_by("pk")[0]
    staged.sealed_address = seal_without_padding("c@d.by", staged.reader)
    staged.save()
    assert len(lengths()) == 4
    assert open_all() == wanted
    call_command("reencrypt_list")
    assert lengths() == {sealing.SEALED_ADDRESS_BYTES}
    assert reencryption.reencrypt(lambda _done: None) == 0
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, lambda: NOW)
    assert open_all() == wanted | {"c@d.by", "somebody.else@example.org"}
    assert lengths() == {sealing.SEALED_ADDRESS_BYTES}


def lengths() -> set[int]:
    return {
        len(sealed)
        for model, _number in reencryption.LIST_SEALS
        for sealed in model._default_manager.values_list("sealed_address", flat=True)
    }


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["sign-ups", "questions"])
def test_what_waits_for_a_worker_tells_no_length_either(table: str) -> None:
    edition, user = make_edition(), make_user()
    for address in ("a@b.by", "somebody@example.org", f"{'a' * 64}@{'b' * 60}.org"):
        if table == "sign-ups":
            sign_up.sign_up(address, edition, "en", NOW)
        else:
            lookup.request_lookup(address, user, NOW)
    rows = (SignUp if table == "sign-ups" else SubscriberLookup)._default_manager
    found = [len(sealed) for sealed in rows.values_list("sealed_address", flat=True)]
    assert len(found) == 3
    assert len(set(found)) == 1


@pytest.mark.django_db
def test_an_unsubscribe_during_reencryption_stays(own_set: Path) -> None:
    subscriber = make_subscriber(edition=make_edition())
    rotate(own_set)
    opened = sealing.WorkerKeys.open_address

    def leaves(keys: sealing.WorkerKeys, *about: object) -> str:
        address = opened(keys, *about)  # type: ignore[arg-type]
        Subscriber.objects.get(pk=subscriber.pk).end(SubscriberStatus.UNSUBSCRIBED, NOW)
        return address

    with mock.patch.object(sealing.WorkerKeys, "open_address", leaves):
        reencryption.reencrypt(lambda _done: None)
    subscriber.refresh_from_db()
    assert not subscriber.sealed_address
    assert subscriber.status == SubscriberStatus.UNSUBSCRIBED


@pytest.mark.django_db(transaction=True)
def test_a_killed_reencryption_continues_where_it_was(own_set: Path, settings: Settings) -> None:
    edition = make_edition()
    wanted = {f"r{number}@example.org" for number in range(10)}
    for address in wanted:
        make_subscriber(edition=edition, address=address)
    rotate(own_set)
    killed = subprocess.run(
        [sys.executable, "-c", RESEAL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(settings),
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert generations() == [1] * 4 + [2] * 6
    assert open_all() == wanted
    assert reencryption.reencrypt(lambda _done: None) == 4
    assert open_all() == wanted


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_no_harm(own_set: Path, settings: Settings) -> None:
    edition = make_edition()
    wanted = {f"r{number}@example.org" for number in range(60)}
    for address in wanted:
        make_subscriber(edition=edition, address=address)
    rotate(own_set)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MEET_AND_REENCRYPT],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(settings),
        )
        for _number in range(2)
    ]
    try:
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in both:
            one.communicate(timeout=120)
            assert one.returncode == 0
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert generations() == [2] * 60
    assert open_all() == wanted


@pytest.mark.django_db
def test_an_undecryptable_row_is_reported_and_blocks_no_other(own_set: Path) -> None:
    edition = make_edition()
    damaged, forgotten = (make_subscriber(edition=edition) for _number in range(2))
    Subscriber.objects.filter(pk=damaged.pk).update(sealed_address=b"x" * 40)
    Subscriber.objects.filter(pk=forgotten.pk).update(key_generation=0)
    well = {f"r{number}@example.org" for number in range(5)}
    for address in well:
        make_subscriber(edition=edition, address=address)
    rotate(own_set)
    with mock.patch.object(reencryption, "BATCH_SIZE", 2), pytest.raises(CommandError) as told:
        call_command("reencrypt_list")
    assert f"subscriber {damaged.pk}" in str(told.value)
    assert f"subscriber {forgotten.pk}" in str(told.value)
    assert generations() == [0, 1, 2, 2, 2, 2, 2]
    # What no key opens is no reason to keep an older one.
    call_command("rotate_keys", "--finish")
    kept = Subscriber.objects.exclude(pk__in=[damaged.pk, forgotten.pk])
    assert {subscriber.address(sealing.worker_keys()) for subscriber in kept} == well
