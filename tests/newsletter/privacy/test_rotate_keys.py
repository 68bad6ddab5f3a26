"""New keys while everything goes on: nobody is lost, on one host or on several."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from keys.sealing import WorkerKeys
from newsletter.campaigns.lifecycle import launch, resume
from newsletter.delivery import ledger
from newsletter.delivery.lanes import run_lane
from newsletter.imports import apply, dry_run
from newsletter.imports.upload import ChunkWriter, import_from_chunks
from newsletter.models import (
    Delivery,
    DeliveryStatus,
    HashGeneration,
    Mailing,
    MailingStatus,
    SignUp,
    StagedSubscriber,
    Subscriber,
    SubscriberLookup,
    SubscriberStatus,
)
from newsletter.privacy import reencryption
from newsletter.subscribers import lookup, sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING


@pytest.fixture(autouse=True)
def own_set(fresh_keys: Path) -> Path:
    """These are changed here."""
    return fresh_keys


@pytest.fixture
def mailing(relay: Catcher) -> Mailing:
    made = make_mailing(readers=3)
    launch(made, NOW)
    return made


@pytest.fixture
def elsewhere(own_set: Path, tmp_path: Path) -> Path:
    """The worker's key as another host has it, which is told of no rotation."""
    return Path(shutil.copy(own_set / "worker.key", tmp_path / "worker.key"))


def rotate(*, finish: bool = False) -> None:
    call_command("rotate_keys")
    call_command("reencrypt_list")
    if finish:
        call_command("rotate_keys", "--finish")


def run_with(mailing: Mailing, claim: Callable[..., ledger.ClaimedBatch]) -> None:
    """One turn of a lane, whose first claim is this one."""
    with mock.patch.object(ledger, "claim", claim):
        run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()


# --- A lane that is in the middle of its turn ------------------------------------------


@pytest.mark.parametrize("finish", [False, True])
def test_keys_that_change_during_a_turn_stop_no_mailing(
    mailing: Mailing, relay: Catcher, finish: bool
) -> None:
    claim, turned = ledger.claim, []

    def rotates_first(*about: Any) -> ledger.ClaimedBatch:
        if not turned:
            turned.append(1)
            rotate(finish=finish)
        return claim(*about)

    run_with(mailing, rotates_first)
    assert len(relay.letters) == 3
    assert mailing.status == MailingStatus.SENT


def test_a_row_claimed_under_older_keys_is_read_again(mailing: Mailing, relay: Catcher) -> None:
    """Some rows of a claim are sealed anew already, the others just after it."""
    claim, turned = ledger.claim, []

    def rotates_half_way(*about: Any) -> ledger.ClaimedBatch:
        if turned:
            return claim(*about)
        turned.append(1)
        call_command("rotate_keys")
        rows = Subscriber.objects.order_by("pk")
        first = rows[0]
        keys = sealing.worker_keys()
        first.set_address(first.address(keys), keys, HashGeneration.lock_shared(keys))
        first.save()
        batch = claim(*about)
        batch.letters.sort(key=lambda one: one.subscriber != first.pk)
        call_command("reencrypt_list")
        call_command("rotate_keys", "--finish")
        return batch

    run_with(mailing, rotates_half_way)
    assert len(relay.letters) == 3
    assert mailing.status == MailingStatus.SENT


def test_an_unsubscribe_during_a_rotation_is_excluded_and_not_failed(
    mailing: Mailing, relay: Catcher
) -> None:
    claim, turned = ledger.claim, []

    def rotates_and_one_leaves(*about: Any) -> ledger.ClaimedBatch:
        if turned:
            return claim(*about)
        turned.append(1)
        call_command("rotate_keys")
        call_command("reencrypt_list")
        batch = claim(*about)
        Subscriber.objects.order_by("pk")[1].end(SubscriberStatus.UNSUBSCRIBED, NOW)
        return batch

    run_with(mailing, rotates_and_one_leaves)
    assert len(relay.letters) == 2
    assert not Delivery.objects.filter(status=DeliveryStatus.FAILED).exists()
    assert Delivery.objects.filter(status=DeliveryStatus.EXCLUDED).count() == 1


def test_a_lane_on_a_host_without_the_new_key_fails_nobody(
    mailing: Mailing, relay: Catcher, settings: Settings, elsewhere: Path
) -> None:
    rotate()
    settings.WORKER_KEY_FILE, here = elsewhere, settings.WORKER_KEY_FILE
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.PAUSED
    assert "generation 2" in mailing.pause_reason
    assert Delivery.objects.still_to_send().count() == 3
    settings.WORKER_KEY_FILE = here
    resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 3


# --- What waits, and what comes meanwhile ----------------------------------------------


def test_sign_ups_that_wait_survive_a_rotation() -> None:
    row = sign_up.sign_up("a@example.org", make_edition(), "en", NOW)
    rotate()
    assert sign_up.process_sign_up(row.pk, NOW)


def test_a_host_that_has_not_been_given_the_new_key_yet_loses_no_sign_up(
    settings: Settings, elsewhere: Path
) -> None:
    call_command("rotate_keys")
    row = sign_up.sign_up("a@example.org", make_edition(), "en", NOW)
    settings.WORKER_KEY_FILE = elsewhere
    assert sign_up.process_sign_up(row.pk, NOW)


def test_older_keys_stay_while_the_web_process_seals_with_them(own_set: Path) -> None:
    older = (own_set / "intake.pub").read_text()
    call_command("rotate_keys")
    assert (own_set / "intake.pub").read_text() == older
    call_command("reencrypt_list")
    assert (own_set / "intake.pub").read_text() != older
    for text in (older, "rubbish"):
        (own_set / "intake.pub").write_text(text)
        with pytest.raises(CommandError, match="sign-ups would be lost"):
            call_command("rotate_keys", "--finish")
    call_command("reencrypt_list")
    call_command("rotate_keys", "--finish")
    assert set(sealing.worker_keys().secrets) == {2}


def test_an_older_generation_is_not_dropped_while_anything_needs_it() -> None:
    edition = make_edition()
    make_subscriber(edition=edition)
    sign_up.sign_up("a@example.org", edition, "en", NOW)
    lookup.request_lookup("a@example.org", make_user(), NOW)
    writer = ChunkWriter(NOW)
    writer.write(b"email\n")
    writer.close()
    call_command("rotate_keys")
    keys = sealing.worker_keys()
    assert len(list(reencryption.tables_needing_older_keys(keys))) == 4
    call_command("reencrypt_list")
    with pytest.raises(CommandError) as told:
        call_command("rotate_keys", "--finish")
    assert "sign-ups" in str(told.value)
    assert "subscribers" not in str(told.value)
    SignUp.objects.all().delete()
    SubscriberLookup.objects.all().delete()
    writer.discard()
    call_command("rotate_keys", "--finish")
    assert set(sealing.worker_keys().secrets) == {2}


def test_a_row_that_moves_from_an_import_to_the_list_is_not_missed() -> None:
    make_edition(code="en")
    row = import_from_chunks([b"email,edition\na@example.org,en\n"], None, NOW)
    dry_run.check_import(row.pk, lambda: NOW)
    apply.request_apply(row, make_user(), NOW)
    call_command("rotate_keys")
    older, asked = reencryption._of_older_generation, []

    def moves_before_the_second(model: type[models.Model], keys: WorkerKeys) -> Any:
        if asked:
            apply.apply_import(row.pk, lambda: NOW)
        asked.append(model)
        return older(model, keys)

    with mock.patch.object(reencryption, "_of_older_generation", moves_before_the_second):
        assert list(reencryption.tables_needing_older_keys(sealing.worker_keys()))
    assert not StagedSubscriber.objects.exists()
    assert Subscriber.objects.get().key_generation == 1


def test_a_concurrent_rotation_drops_no_newer_key() -> None:
    subscriber = make_subscriber(edition=make_edition(), address="a@example.org")
    rotate()
    looks = reencryption.tables_needing_older_keys

    def rotates_after_it(keys: WorkerKeys) -> Iterator[str]:
        yield from list(looks(keys))
        call_command("rotate_keys")

    with mock.patch.object(reencryption, "tables_needing_older_keys", rotates_after_it):
        call_command("rotate_keys", "--finish")
    assert set(sealing.worker_keys().secrets) == {2, 3}
    subscriber.refresh_from_db()
    assert subscriber.address(sealing.worker_keys()) == "a@example.org"


def test_a_host_with_an_older_file_makes_no_second_generation_of_that_number(
    settings: Settings, elsewhere: Path
) -> None:
    make_subscriber(edition=make_edition())
    rotate()
    settings.WORKER_KEY_FILE, before = elsewhere, elsewhere.read_text()
    with pytest.raises(CommandError, match="under a newer generation"):
        call_command("rotate_keys")
    assert elsewhere.read_text() == before


def test_every_table_with_sealed_data_is_checked() -> None:
    known = {(model, "sealed_address") for model, _number in reencryption.LIST_SEALS}
    known |= {(model, column) for model, column, _purpose in reencryption.INTAKE_SEALS}
    sealed = {
        (model, field.name)
        for model in apps.get_app_config("newsletter").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.BinaryField) and "sealed" in field.name
    }
    assert known | {(SubscriberLookup, "sealed_subject")} == sealed, (
        "it says so where it cannot be opened"
    )
