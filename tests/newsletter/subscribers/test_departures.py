"""The departures log: no restored backup brings anybody back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter import schedule
from newsletter.campaigns.lifecycle import launch, ledger, resume
from newsletter.delivery.lanes import run_lane
from newsletter.models import (
    Delivery,
    Departure,
    DeparturesLogPosition,
    Edition,
    Mailing,
    MailingStatus,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.subscribers import departures, sign_up
from newsletter.subscribers.departures import (
    HEADER_BYTES,
    LINE_BYTES,
    DeparturesLog,
    DeparturesLogBroken,
)
from tests.factories import MONDAY_MORNING, make_edition, make_mailing, make_subscriber

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
DAY = dt.timedelta(days=1)


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru")


class Backup:
    """What a dump of the database brings back of the list: rows as they were."""

    def __init__(self) -> None:
        self.rows: dict[type[Any], list[dict[str, Any]]] = {
            model: list(model.objects.values())
            for model in (Subscriber, Suppression, Departure, DeparturesLogPosition)
        }

    def restore(self) -> None:
        for model, rows in self.rows.items():
            model.objects.all().delete()
            model.objects.bulk_create([model(**row) for row in rows])


def size() -> int:
    return (live_settings.DEPARTURES_FILE.stat().st_size - HEADER_BYTES) // LINE_BYTES


def gone(subscriber: Subscriber) -> bool:
    row = Subscriber.objects.filter(pk=subscriber.pk).first()
    return row is None or (row.is_gone and not row.sealed_address)


def test_a_backup_of_last_week_brings_nobody_back(edition: Edition) -> None:
    left, bounced, complained, forgotten, stays = (
        make_subscriber(edition=edition, now=NOW - 30 * DAY) for _ in range(5)
    )
    schedule.update_departures_log()
    backup = Backup()
    left.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    bounced.end(SubscriberStatus.BOUNCED, NOW)
    complained.end(SubscriberStatus.COMPLAINED, NOW)
    forgotten.forget(NOW)
    schedule.update_departures_log()
    assert not Departure.objects.exists()
    assert size() == 4

    backup.restore()
    assert not gone(left)
    assert departures.replay_missed() == 4
    assert gone(left)
    assert gone(bounced)
    assert gone(complained)
    assert not Subscriber.objects.filter(pk=forgotten.pk).exists()
    assert not gone(stays)
    reasons = set(Suppression.objects.values_list("reason", flat=True))
    assert reasons == {"left", "bounced", "complained"}
    assert departures.replay_missed() == 0


def test_nothing_is_sent_before_a_restored_database_has_replayed_the_log(relay: Catcher) -> None:
    mailing = make_mailing(readers=3)
    schedule.update_departures_log()
    backup = Backup()
    subscriber = Subscriber.objects.first()
    assert subscriber is not None
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    backup.restore()
    launch(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 2
    assert ledger(mailing).excluded == 1
    assert Delivery.objects.get(subscriber=subscriber).status == "excluded"


def test_a_missing_departures_log_stops_the_sending_and_says_what_to_do(relay: Catcher) -> None:
    mailing = make_mailing(readers=2)
    schedule.update_departures_log()
    live_settings.DEPARTURES_FILE.unlink()
    launch(mailing, NOW)
    assert not run_lane(mailing.pk, 0, lambda: NOW)
    mailing = Mailing.objects.get()
    assert mailing.status == MailingStatus.PAUSED
    assert "departures log is missing" in mailing.pause_reason
    assert relay.letters == []
    with pytest.raises(CommandError, match="start-anew"):
        call_command("departures")
    call_command("departures", "--start-anew", verbosity=0)
    resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 2


def test_the_log_of_another_database_is_refused(edition: Edition, tmp_path: Path) -> None:
    schedule.update_departures_log()
    live_settings.DEPARTURES_FILE.unlink()
    DeparturesLog.create(live_settings.DEPARTURES_FILE)
    with pytest.raises(DeparturesLogBroken, match="another database"):
        departures.replay_missed()


def test_a_file_that_is_no_departures_log_is_refused(edition: Edition) -> None:
    live_settings.DEPARTURES_FILE.parent.mkdir(parents=True)
    live_settings.DEPARTURES_FILE.write_text("rubbish")
    with pytest.raises(DeparturesLogBroken, match="is no departures log"):
        departures.replay_missed()


def test_a_log_shorter_than_the_database_knows_is_refused(edition: Edition) -> None:
    make_subscriber(edition=edition).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    with live_settings.DEPARTURES_FILE.open("r+b") as file:
        file.truncate(HEADER_BYTES)
    with pytest.raises(DeparturesLogBroken, match="has 0 lines and this database knows 1"):
        departures.replay_missed()


def test_a_damaged_line_is_named(edition: Edition) -> None:
    schedule.update_departures_log()
    with live_settings.DEPARTURES_FILE.open("ab") as file:
        file.write(b"?" * LINE_BYTES)
    with pytest.raises(DeparturesLogBroken, match="Line 1 of"):
        departures.replay_missed()


def test_a_line_truncated_by_a_crash_is_written_again(edition: Edition) -> None:
    one, two = make_subscriber(edition=edition), make_subscriber(edition=edition)
    one.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    with live_settings.DEPARTURES_FILE.open("ab") as file:
        file.write(b"000001")
    two.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    assert size() == 2
    assert [line.kind for line in DeparturesLog(live_settings.DEPARTURES_FILE).lines_after(0)] == [
        "l",
        "l",
    ]


def test_a_crash_between_file_and_database_writes_twice_and_does_no_harm(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = make_subscriber(edition=edition)
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)

    class Crash(Exception):
        pass

    def crash(*_args: Any, **_kwargs: Any) -> None:
        raise Crash

    departures.replay_missed()
    with monkeypatch.context() as patch:
        patch.setattr(departures.DeparturesLogPosition.objects, "update", crash)
        with pytest.raises(Crash):
            departures.append_pending()
    assert Departure.objects.count() == 1
    schedule.update_departures_log()
    assert not Departure.objects.exists()
    assert size() == 2
    assert gone(subscriber)


def test_a_subscriber_who_signed_up_again_stays(edition: Edition) -> None:
    subscriber = make_subscriber(edition=edition, address="reader@example.org", now=NOW - 9 * DAY)
    schedule.update_departures_log()
    before = Backup()
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW - 8 * DAY)
    row = sign_up.sign_up("reader@example.org", edition, "be", NOW - 7 * DAY)
    sign_up.process_sign_up(row.pk, NOW - 7 * DAY)
    Subscriber.objects.get().confirm(NOW - 7 * DAY)
    after = Backup()
    schedule.update_departures_log()

    after.restore()
    departures.replay_missed()
    assert Subscriber.objects.get().status == SubscriberStatus.ACTIVE
    # The oldest backup knows them from before: they had come back to stay, so they stay.
    before.restore()
    departures.replay_missed()
    assert Subscriber.objects.get().status == SubscriberStatus.ACTIVE


def test_lines_older_than_any_backup_are_pruned_and_the_rest_keeps_its_numbers(
    edition: Edition, settings: Settings
) -> None:
    settings.DEPARTURES_DAYS = 90
    for days in (100, 95, 10):
        make_subscriber(edition=edition).end(SubscriberStatus.UNSUBSCRIBED, NOW - days * DAY)
    schedule.update_departures_log()
    assert departures.prune(NOW) == 2
    assert size() == 1
    assert DeparturesLog(settings.DEPARTURES_FILE).line_count == 3
    assert departures.replay_missed() == 0
    make_subscriber(edition=edition).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    schedule.update_departures_log()
    assert DeparturesLogPosition.objects.get().lines == 4
    DeparturesLogPosition.objects.update(lines=1)
    with pytest.raises(DeparturesLogBroken, match="older than the departures log reaches back"):
        departures.replay_missed()


def test_the_log_holds_keyed_hashes_and_is_readable_by_its_owner_alone(edition: Edition) -> None:
    make_subscriber(edition=edition, address="reader@example.org").end(
        SubscriberStatus.UNSUBSCRIBED, NOW
    )
    schedule.update_departures_log()
    [line] = DeparturesLog(live_settings.DEPARTURES_FILE).lines_after(0)
    assert line.address_hash == sealing.worker_keys().hash_address("reader@example.org", 1)
    assert live_settings.DEPARTURES_FILE.stat().st_mode & 0o777 == 0o600
    assert b"example" not in live_settings.DEPARTURES_FILE.read_bytes()


def test_without_the_worker_key_no_log_is_created(
    edition: Edition, without_worker_key: None
) -> None:
    make_subscriber_row = Departure.objects.create(address_hash=b"0" * 32, kind="l", at=NOW)
    schedule.update_departures_log()
    assert not live_settings.DEPARTURES_FILE.exists()
    assert Departure.objects.get() == make_subscriber_row


def test_a_full_disk_keeps_departures_in_the_database(
    edition: Edition, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    subscriber = make_subscriber(edition=edition)
    schedule.update_departures_log()

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DeparturesLog, "append", full)
        assert subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
        schedule.update_departures_log()
    assert "cannot be kept" in caplog.text
    assert Departure.objects.count() == 1
    schedule.update_departures_log()
    assert size() == 1
