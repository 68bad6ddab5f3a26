"""The list under new keys, and without any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from pytest_django.fixtures import Settings

from newsletter import inquiring, resealing, subscribing
from newsletter import mailing as mailings
from newsletter.importing.uploading import Intake
from newsletter.models import (
    Delivery,
    Edition,
    Inquiry,
    Mailing,
    MailingStatus,
    SignUp,
    Subscriber,
    SubscriberStatus,
)
from newsletter.sending.lanes import run_lane
from newsroom import keyring, sealing
from newsroom.mailcatcher.catcher import Catcher
from newsroom.sealing import KeyMissing
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber, make_user
from tests.services import database_url

ROOT = Path(__file__).resolve().parents[2]
NOW = MONDAY_MORNING
RESEAL = """
import os, django
django.setup()
from newsletter import resealing
resealing.BATCH = 3
def report(done):
    print(done, flush=True)
    if done >= 6:
        os.kill(os.getpid(), 9)
resealing.reseal(report)
"""


@pytest.fixture(autouse=True)
def own_set(fresh_keys: Path) -> Path:
    """These are changed and destroyed here."""
    return fresh_keys


def rotate(folder: Path) -> None:
    keyring.add_generation(folder / "worker.key")
    keyring.renew_intake(folder / "worker.key", folder / "intake.pub")


def generations() -> list[int]:
    return sorted(Subscriber.objects.values_list("key_generation", flat=True))


def open_all() -> set[str]:
    keys = sealing.worker_keys()
    return {reader.address(keys) for reader in Subscriber.objects.active()}


@pytest.mark.django_db
def test_every_address_comes_under_the_newest_generation(own_set: Path) -> None:
    edition = make_edition()
    wanted = {f"r{number}@example.org" for number in range(5)}
    for address in wanted:
        make_subscriber(edition=edition, address=address)
    make_subscriber(edition=edition).end(SubscriberStatus.LEFT, NOW)
    rotate(own_set)
    said: list[int] = []
    with mock.patch.object(resealing, "BATCH", 2):
        assert resealing.reseal(said.append) == 5
    assert said == [2, 4, 5]
    assert open_all() == wanted
    assert generations() == [1, 2, 2, 2, 2, 2]
    assert resealing.reseal(said.append) == 0
    call_command("rotate_keys", "--finish", verbosity=0)
    assert open_all() == wanted


@pytest.mark.django_db
def test_who_leaves_while_the_list_is_sealed_anew_stays_gone(own_set: Path) -> None:
    reader = make_subscriber(edition=make_edition())
    rotate(own_set)
    opened = sealing.WorkerKeys.open_address

    def leaves(keys: sealing.WorkerKeys, *about: object) -> str:
        address = opened(keys, *about)  # type: ignore[arg-type]
        Subscriber.objects.get(pk=reader.pk).end(SubscriberStatus.LEFT, NOW)
        return address

    with mock.patch.object(sealing.WorkerKeys, "open_address", leaves):
        resealing.reseal(lambda _done: None)
    reader.refresh_from_db()
    assert not reader.sealed_address
    assert reader.status == SubscriberStatus.LEFT


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on_where_it_was(own_set: Path, settings: Settings) -> None:
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
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "DATABASE_URL": database_url(connection),
            "WORKER_KEY_FILE": str(settings.WORKER_KEY_FILE),
            "INTAKE_KEY_FILE": str(settings.INTAKE_KEY_FILE),
            "LINKS_KEY_FILE": str(settings.LINKS_KEY_FILE),
        },
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert generations() == [1] * 4 + [2] * 6
    assert open_all() == wanted
    assert resealing.reseal(lambda _done: None) == 4
    assert open_all() == wanted


@pytest.mark.django_db
def test_sign_ups_that_wait_survive_a_rotation(own_set: Path) -> None:
    row = subscribing.sign_up("a@example.org", make_edition(), "en", NOW)
    rotate(own_set)
    assert subscribing.process_sign_up(row.pk, NOW)


@pytest.mark.django_db
def test_an_older_generation_is_not_dropped_while_anything_needs_it(own_set: Path) -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    subscribing.sign_up("a@example.org", edition, "en", NOW)
    inquiring.ask("a@example.org", make_user(), NOW)
    intake = Intake(NOW)
    intake.take(b"email\n")
    intake.finish()
    rotate(own_set)
    with pytest.raises(CommandError, match="still needed for"):
        call_command("rotate_keys", "--finish")
    resealing.reseal(lambda _done: None)
    with pytest.raises(CommandError) as told:
        call_command("rotate_keys", "--finish")
    assert "sign-ups" in str(told.value)
    assert "subscribers" not in str(told.value)
    SignUp.objects.all().delete()
    Inquiry.objects.all().delete()
    intake.drop()
    call_command("rotate_keys", "--finish")
    assert set(sealing.worker_keys().secrets) == {2}


@pytest.mark.django_db
def test_a_lane_on_a_host_without_the_new_key_fails_nobody(
    own_set: Path, relay: Catcher, settings: Settings, tmp_path: Path
) -> None:
    mailing = make_mailing(readers=3)
    mailings.launch(mailing, NOW)
    elsewhere = tmp_path / "worker.key"
    elsewhere.write_text((own_set / "worker.key").read_text())
    rotate(own_set)
    resealing.reseal(lambda _done: None)
    settings.WORKER_KEY_FILE, here = elsewhere, settings.WORKER_KEY_FILE
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.PAUSED
    assert "generation 2" in mailing.pause_reason
    assert Delivery.objects.still_to_send().count() == 3
    settings.WORKER_KEY_FILE = here
    mailings.resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 3


@pytest.mark.django_db
def test_after_shred_list_nothing_opens_the_list(own_set: Path, relay: Catcher) -> None:
    mailing = make_mailing(readers=2)
    subscribing.sign_up("a@example.org", Edition.objects.get(), "en", NOW)
    mailings.launch(mailing, NOW)
    call_command("shred_list", "--yes", "destroy the list")
    assert list(own_set.iterdir()) == []
    assert not SignUp.objects.exists()
    assert set(Subscriber.objects.values_list("sealed_address", flat=True)) == {b""}
    with pytest.raises(KeyMissing):
        run_lane(mailing.pk, 0, lambda: NOW)
    with pytest.raises(KeyMissing):
        subscribing.sign_up("a@example.org", Edition.objects.get(), "en", NOW)
    assert relay.letters == []
    # Nobody is marked as failed: a restored set of keys finds the ledger as it was.
    assert Mailing.objects.get().status == MailingStatus.SENDING
    assert Delivery.objects.still_to_send().count() == 2


@pytest.mark.django_db
def test_the_keys_go_first_whatever_the_database_says(own_set: Path) -> None:
    make_subscriber(edition=make_edition())
    with mock.patch(
        "newsletter.management.commands.shred_list.transaction.atomic",
        side_effect=OperationalError("planted@example.org"),
    ):
        call_command("shred_list", "--yes", "destroy the list")
    assert list(own_set.iterdir()) == []


@pytest.mark.django_db
def test_nothing_is_destroyed_by_a_slip_of_the_hand(own_set: Path) -> None:
    for words in ("yes", "destroy"):
        with pytest.raises(CommandError, match="Nothing was destroyed"):
            call_command("shred_list", "--yes", words)
    assert len(list(own_set.iterdir())) == 3
