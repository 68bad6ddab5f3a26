"""The journal of departures: no restored backup brings anybody back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter import schedule
from newsletter.campaigns import lifecycle as mailings
from newsletter.delivery.lanes import run_lane
from newsletter.models import (
    Delivery,
    Departure,
    Edition,
    JournalMark,
    Mailing,
    MailingStatus,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.subscribers import departures, sign_up
from newsletter.subscribers.departures import HEAD_BYTES, LINE_BYTES, Journal, JournalBroken
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
            for model in (Subscriber, Suppression, Departure, JournalMark)
        }

    def restore(self) -> None:
        for model, rows in self.rows.items():
            model.objects.all().delete()
            model.objects.bulk_create([model(**row) for row in rows])


def size() -> int:
    return (live.JOURNAL_FILE.stat().st_size - HEAD_BYTES) // LINE_BYTES


def gone(subscriber: Subscriber) -> bool:
    row = Subscriber.objects.filter(pk=subscriber.pk).first()
    return row is None or (row.is_gone and not row.sealed_address)


def test_a_backup_of_last_week_brings_nobody_back(edition: Edition) -> None:
    left, bounced, complained, forgotten, stays = (
        make_subscriber(edition=edition, now=NOW - 30 * DAY) for _ in range(5)
    )
    schedule.keep_the_journal()
    backup = Backup()
    left.end(SubscriberStatus.LEFT, NOW)
    bounced.end(SubscriberStatus.BOUNCED, NOW)
    complained.end(SubscriberStatus.COMPLAINED, NOW)
    forgotten.forget(NOW)
    schedule.keep_the_journal()
    assert not Departure.objects.exists()
    assert size() == 4

    backup.restore()
    assert not gone(left)
    assert departures.catch_up() == 4
    assert gone(left)
    assert gone(bounced)
    assert gone(complained)
    assert not Subscriber.objects.filter(pk=forgotten.pk).exists()
    assert not gone(stays)
    reasons = set(Suppression.objects.values_list("reason", flat=True))
    assert reasons == {"left", "bounced", "complained"}
    assert departures.catch_up() == 0


def test_no_letter_leaves_before_a_restored_database_has_heard_who_left(relay: Catcher) -> None:
    mailing = make_mailing(readers=3)
    schedule.keep_the_journal()
    backup = Backup()
    reader = Subscriber.objects.first()
    assert reader is not None
    reader.end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    backup.restore()
    mailings.launch(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 2
    assert mailings.ledger(mailing).excluded == 1
    assert Delivery.objects.get(subscriber=reader).status == "excluded"


def test_a_missing_journal_stops_the_sending_and_says_what_to_do(relay: Catcher) -> None:
    mailing = make_mailing(readers=2)
    schedule.keep_the_journal()
    live.JOURNAL_FILE.unlink()
    mailings.launch(mailing, NOW)
    assert not run_lane(mailing.pk, 0, lambda: NOW)
    mailing = Mailing.objects.get()
    assert mailing.status == MailingStatus.PAUSED
    assert "journal of departures is missing" in mailing.pause_reason
    assert relay.letters == []
    with pytest.raises(CommandError, match="start-anew"):
        call_command("departures")
    call_command("departures", "--start-anew", verbosity=0)
    mailings.resume(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 2


def test_another_databases_journal_is_not_taken_for_ours(edition: Edition, tmp_path: Path) -> None:
    schedule.keep_the_journal()
    live.JOURNAL_FILE.unlink()
    Journal.make(live.JOURNAL_FILE)
    with pytest.raises(JournalBroken, match="another database"):
        departures.catch_up()


def test_what_is_no_journal_is_told_so(edition: Edition) -> None:
    live.JOURNAL_FILE.parent.mkdir(parents=True)
    live.JOURNAL_FILE.write_text("rubbish")
    with pytest.raises(JournalBroken, match="is no journal"):
        departures.catch_up()


def test_a_shorter_journal_than_the_database_knows_is_told_so(edition: Edition) -> None:
    make_subscriber(edition=edition).end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    with live.JOURNAL_FILE.open("r+b") as file:
        file.truncate(HEAD_BYTES)
    with pytest.raises(JournalBroken, match="has 0 lines and this database knows 1"):
        departures.catch_up()


def test_a_damaged_line_is_named(edition: Edition) -> None:
    schedule.keep_the_journal()
    with live.JOURNAL_FILE.open("ab") as file:
        file.write(b"?" * LINE_BYTES)
    with pytest.raises(JournalBroken, match="Line 1 of"):
        departures.catch_up()


def test_a_line_that_a_crash_cut_is_written_again_whole(edition: Edition) -> None:
    one, two = make_subscriber(edition=edition), make_subscriber(edition=edition)
    one.end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    with live.JOURNAL_FILE.open("ab") as file:
        file.write(b"000001")
    two.end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    assert size() == 2
    assert [line.kind for line in Journal(live.JOURNAL_FILE).since(0)] == ["l", "l"]


def test_a_crash_between_file_and_database_writes_twice_and_does_no_harm(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = make_subscriber(edition=edition)
    reader.end(SubscriberStatus.LEFT, NOW)

    class Crash(Exception):
        pass

    def crash(*_args: Any, **_kwargs: Any) -> None:
        raise Crash

    departures.catch_up()
    with monkeypatch.context() as patch:
        patch.setattr(departures.JournalMark.objects, "update", crash)
        with pytest.raises(Crash):
            departures.write_down()
    assert Departure.objects.count() == 1
    schedule.keep_the_journal()
    assert not Departure.objects.exists()
    assert size() == 2
    assert gone(reader)


def test_who_came_back_after_leaving_stays(edition: Edition) -> None:
    reader = make_subscriber(edition=edition, address="reader@example.org", now=NOW - 9 * DAY)
    schedule.keep_the_journal()
    before = Backup()
    reader.end(SubscriberStatus.LEFT, NOW - 8 * DAY)
    row = sign_up.sign_up("reader@example.org", edition, "be", NOW - 7 * DAY)
    sign_up.process_sign_up(row.pk, NOW - 7 * DAY)
    Subscriber.objects.get().confirm(NOW - 7 * DAY)
    after = Backup()
    schedule.keep_the_journal()

    after.restore()
    departures.catch_up()
    assert Subscriber.objects.get().status == SubscriberStatus.ACTIVE
    # The oldest backup knows them from before: they had come back to stay, so they stay.
    before.restore()
    departures.catch_up()
    assert Subscriber.objects.get().status == SubscriberStatus.ACTIVE


def test_lines_older_than_any_backup_are_pruned_and_the_rest_keeps_its_numbers(
    edition: Edition, settings: Settings
) -> None:
    settings.JOURNAL_DAYS = 90
    for days in (100, 95, 10):
        make_subscriber(edition=edition).end(SubscriberStatus.LEFT, NOW - days * DAY)
    schedule.keep_the_journal()
    assert departures.prune(NOW) == 2
    assert size() == 1
    assert Journal(settings.JOURNAL_FILE).lines == 3
    assert departures.catch_up() == 0
    make_subscriber(edition=edition).end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    assert JournalMark.objects.get().lines == 4
    JournalMark.objects.update(lines=1)
    with pytest.raises(JournalBroken, match="older than the journal reaches back"):
        departures.catch_up()


def test_the_journal_holds_keyed_hashes_and_is_its_owners_alone(edition: Edition) -> None:
    make_subscriber(edition=edition, address="reader@example.org").end(SubscriberStatus.LEFT, NOW)
    schedule.keep_the_journal()
    [line] = Journal(live.JOURNAL_FILE).since(0)
    assert line.address_hash == sealing.worker_keys().hash_address("reader@example.org", 1)
    assert live.JOURNAL_FILE.stat().st_mode & 0o777 == 0o600
    assert b"example" not in live.JOURNAL_FILE.read_bytes()


def test_where_the_workers_key_is_not_no_journal_is_made(
    edition: Edition, without_worker_key: None
) -> None:
    make_subscriber_row = Departure.objects.create(address_hash=b"0" * 32, kind="l", at=NOW)
    schedule.keep_the_journal()
    assert not live.JOURNAL_FILE.exists()
    assert Departure.objects.get() == make_subscriber_row


def test_a_full_disk_keeps_departures_in_the_database(
    edition: Edition, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = make_subscriber(edition=edition)
    schedule.keep_the_journal()

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        assert reader.end(SubscriberStatus.LEFT, NOW)
        schedule.keep_the_journal()
    assert "cannot be kept" in caplog.text
    assert Departure.objects.count() == 1
    schedule.keep_the_journal()
    assert size() == 1
