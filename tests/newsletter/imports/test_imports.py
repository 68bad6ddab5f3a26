"""A list from elsewhere: checked, applied, undone; and nobody brought back."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from core.states import InvalidTransition
from keys import sealing
from keys.sealing import KeyNotFound
from newsletter import schedule
from newsletter.imports import apply, columns, dry_run, reading
from newsletter.imports.columns import Column
from newsletter.imports.reading import UnreadableFile
from newsletter.imports.upload import ChunkWriter, import_from_chunks
from newsletter.models import (
    Departure,
    Edition,
    Import,
    ImportChunk,
    ImportStatus,
    LineProblem,
    StagedSubscriber,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.models.imports import COUNTS
from newsletter.privacy import retention
from newsletter.subscribers import lookup, lookup_limits, preferences
from newsletter.subscribers.lookup_limits import TooManyLookups
from newsletter.tasks import process_import
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def editions() -> None:
    make_edition(code="en")
    make_edition(code="be-ru", position=2)


def clock() -> dt.datetime:
    return NOW


def checked(text: str | bytes, edition: str = "") -> Import:
    return compared(text, edition)[0]


def compared(text: str | bytes, edition: str = "") -> tuple[Import, Counter[str]]:
    """Taken in and looked at, in pieces that cut lines and letters anywhere; its exact counts."""
    raw = text.encode() if isinstance(text, str) else text
    chosen = Edition.objects.filter(code=edition).first()
    row = import_from_chunks((raw[at : at + 7] for at in range(0, len(raw), 7)), chosen, NOW)
    found = dry_run.check_import(row.pk, clock)
    assert found is not None
    row.refresh_from_db()
    return row, found


def applied(text: str | bytes, edition: str = "") -> Import:
    row = checked(text, edition)
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, clock)
    row.refresh_from_db()
    return row


def on_list() -> dict[str, str]:
    """Who is active, and in which edition."""
    keys = sealing.worker_keys()
    rows = Subscriber.objects.active().select_related("edition")
    return {subscriber.address(keys): subscriber.edition.code for subscriber in rows}


def problems(row: Import) -> list[tuple[int, str]]:
    return [(one.line, one.problem) for one in row.problems.all()]


@pytest.mark.both_databases
def test_a_dry_run_counts_the_difference_and_adds_nobody() -> None:
    edition = Edition.objects.get(code="en")
    make_subscriber(edition=edition, address="known@example.org")
    make_subscriber(edition=edition, address="gone@example.org").end("left", NOW)
    row, found = compared(
        "email,edition\n"
        "new@example.org,en\n"
        "NEW@example.org,en\n"
        "known@example.org,en\n"
        "gone@example.org,en\n"
        "rubbish,en\n"
        "a@example.org,fr\n"
    )
    assert row.status == ImportStatus.CHECKED
    names = ("lines", "new", "doubled", "known", "suppressed", "invalid")
    assert [found[name] for name in names] == [6, 1, 1, 1, 1, 2]
    assert problems(row) == [(6, LineProblem.BAD_ADDRESS), (7, LineProblem.NO_EDITION)]
    assert list(on_list()) == ["known@example.org"]
    assert not ImportChunk.objects.exists()


@pytest.mark.both_databases
def test_applying_adds_them_as_they_consented() -> None:
    row = applied(
        "email,edition,created_at\n"
        "a@example.org,en,2024-03-01 10:00:00\n"
        "b@example.org,BE/RU,2999-01-01\n"
        "c@пошта.бел,ru,rubbish\n"
    )
    assert row.status == ImportStatus.APPLIED
    assert row.added == 3
    assert on_list() == {
        "a@example.org": "en",
        "b@example.org": "be-ru",
        "c@xn--80a1acn3a.xn--90ais": "be-ru",
    }
    moments = set(Subscriber.objects.values_list("confirmed_at", flat=True))
    assert moments == {dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC), NOW}
    assert set(Subscriber.objects.values_list("wording", flat=True)) == {0}
    assert not StagedSubscriber.objects.exists()


@pytest.mark.both_databases
def test_nobody_who_unsubscribed_between_dry_run_and_apply_is_added() -> None:
    row = checked("email,edition\na@example.org,en\nb@example.org,en\n")
    Suppression.objects.create(
        address_hash=sealing.worker_keys().hash_address("a@example.org", 1), reason="complained"
    )
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, clock)
    assert list(on_list()) == ["b@example.org"]


@pytest.mark.parametrize(
    ("header", "gone", "here"),
    [
        (
            "Email Address,RATING,STATUS",
            "x@example.org,2,unsubscribed",
            "y@example.org,2,subscribed",
        ),
        ("Email Address,STATUS", "x@example.org,cleaned", "y@example.org,Subscribed"),
        ("email,subscribed_to_emails,deleted_at", "x@example.org,false,", "y@example.org,true,"),
        ("email,deleted_at", "x@example.org,2024-01-01", "y@example.org,"),
        (
            "email,status,subscription_status",
            "x@example.org,enabled,unsubscribed",
            "y@example.org,enabled,confirmed",
        ),
        ("email,status", "x@example.org,blocklisted", "y@example.org,enabled"),
        (
            "email,active_subscription,email_disabled",
            "x@example.org,false,true",
            "y@example.org,false,false",
        ),
        ("email,статус", "x@example.org,отписан", "y@example.org,подписан"),
    ],
)
def test_unsubscribed_lines_are_never_added(header: str, gone: str, here: str) -> None:
    row = applied(f"{header}\n{gone}\n{here}\n", "en")
    assert row.refused == 1
    assert list(on_list()) == ["y@example.org"]


@pytest.mark.parametrize("first", ["subscribed", "unsubscribed"])
def test_an_address_both_subscribed_and_unsubscribed_is_not_added(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = "unsubscribed" if first == "subscribed" else "subscribed"
    text = (
        f"email,status\nx@example.org,{first}\ny@example.org,subscribed\nX@example.org,{second}\n"
    )
    for batch in (1, 2000):
        monkeypatch.setattr(dry_run, "BATCH_SIZE", batch)
        _row, found = compared(text, "en")
        assert (found["new"], found["refused"]) == (1, 1), batch
    applied(text, "en")
    assert list(on_list()) == ["y@example.org"]


EXPORTS = {
    "Mailchimp": "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,"
    "CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES"
    ",TAGS",
    "Substack": "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at",
    "Ghost": "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,"
    "created_at,deleted_at,labels,tiers",
    "listmonk": "uuid,email,name,attributes,status,created_at,updated_at",
}


@pytest.mark.parametrize("exporter", EXPORTS)
def test_exports_of_other_services_are_recognised(exporter: str) -> None:
    names = EXPORTS[exporter].split(",")
    found = columns.detect_columns(names)
    assert found.count(Column.ADDRESS) == 1
    assert found.count(Column.CONSENT) == 1
    cells = {
        Column.ADDRESS: "a@example.org",
        Column.CONSENT: "2024-03-01 10:00:00",
        Column.STATUS: "enabled",
        Column.SUBSCRIBED: "true",
    }
    row = ",".join(cells.get(column, "") for column in found)
    assert applied(f"{EXPORTS[exporter]}\n{row}\n", "en").added == 1
    assert Subscriber.objects.get().confirmed_at == dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)
    if exporter == "Mailchimp":
        assert found[names.index("CONFIRM_TIME")] is Column.CONSENT


@pytest.mark.parametrize(
    "raw",
    [
        "email,edition\na@example.org,en\n".encode("utf-8-sig"),
        b"email;edition\r\na@example.org;en\r\n",
        b"email\tedition\ra@example.org\ten\r",
        "email,edition\na@example.org,en\n".encode("utf-16"),
        "имя,почта,выпуск\nАня,a@example.org,en\n".encode("cp1251"),
        b'name,email,edition\n"Anna\nof two lines",a@example.org,en\n',
        b"\n\nemail,edition\n\na@example.org,en",
        b"email,edition,x\na@example.org,en,y,,\n",
        b"email,edition\na@exam\0ple.org,en\n",
        b"email,edition\n'a@example.org,en\n",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_file_may_be_written_in_many_ways(raw: bytes) -> None:
    applied(raw)
    assert list(on_list()) == ["a@example.org"]


def test_a_bare_list_of_addresses_is_enough() -> None:
    assert applied("a@example.org\nb@example.org\n", "en").added == 2


def test_a_broken_row_is_reported_and_the_rest_goes_on() -> None:
    rest = "".join(f"r{n}@example.org,en\n" for n in range(50))
    row, found = compared(f'email,edition\na@example.org,en\n"b@example.org,en\n{rest}')
    assert problems(row) == [(3, LineProblem.BROKEN)]
    assert found["new"] == 51


@pytest.mark.both_databases
def test_naughty_strings_add_nobody_and_stop_nothing() -> None:
    naughty = [
        "=cmd|' /C calc'!A0", "<script>@example.org", "'; DROP TABLE--@x", "\u202e@example.org",
        "a@b", "@", "a@@example.org", "👾@example.org", "a b@example.org",
        "x" * 300 + "@example.org",
        "," * 300, '"' * 301, "null", "\u0000", "a@example.org\u2028b@example.org",
    ]  # fmt: skip
    row, found = compared(
        "email,edition\n" + "".join(f"{one},en\n" for one in naughty) + "ok@example.org,en\n"
    )
    assert row.status == ImportStatus.CHECKED
    assert found["new"] == 1


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"PK\x03\x04xxxx", "workbook"),
        (b"," * 200 + b"\n", "empty|columns"),
        (b"a," * 200 + b"b\n", "more columns"),
    ],
)
def test_a_file_that_is_no_list_is_refused(raw: bytes, told: str) -> None:
    if not raw:
        with pytest.raises(UnreadableFile, match=told):
            checked(raw)
        return
    row = checked(raw)
    assert row.status == ImportStatus.FAILED
    assert re.search(told, row.failure)
    assert not ImportChunk.objects.exists()


def test_unknown_columns_are_named_by_a_person() -> None:
    row = checked("who,wann\na@example.org,2024-01-01\n", "en")
    assert row.status == ImportStatus.UNNAMED
    assert row.header == ["who", "wann"]
    with pytest.raises(InvalidTransition, match="exactly one"):
        apply.name_columns(row, ["", "consent"])
    apply.name_columns(row, ["address", "consent"])
    found = dry_run.check_import(row.pk, clock)
    row.refresh_from_db()
    assert (row.status, found) == (ImportStatus.CHECKED, Counter(lines=1, new=1))


@pytest.mark.parametrize(
    "first", ["a@example.org;b", "Ivan <ivan@example.org>,Minsk", "Ivan,+375 29 1234567", "x" * 50]
)
def test_a_first_line_with_personal_data_is_never_stored(first: str) -> None:
    row = checked(f"{first}\nb@example.org,x\n", "en")
    assert row.status in {ImportStatus.FAILED, ImportStatus.UNNAMED}
    assert not any(row.header)
    assert "ivan" not in str(vars(row)).lower()


@pytest.mark.parametrize(
    "status",
    ["opted out", "opt-out", "hard bounced", "left", "unsub", "abuse", "выйшаў", "invalid", ""],
)
def test_an_unknown_status_excludes_a_line(status: str) -> None:
    applied(f"email,status\na@example.org,{status}\nb@example.org,subscribed\n", "en")
    assert list(on_list()) == ["b@example.org"]


def test_an_unquoted_comma_does_not_shift_the_status() -> None:
    row = applied("email,name,status\na@example.org,Doe, John,unsubscribed\n", "en")
    assert problems(row) == [(2, LineProblem.BROKEN)]
    assert not on_list()
    refused = checked("a@example.org,unsubscribed\n", "en")
    assert refused.status == ImportStatus.FAILED


@pytest.mark.parametrize("column", ["CLEAN_TIME", "bounced", "UNSUB_TIME", "Unsubscribed"])
def test_an_unsubscribe_column_excludes_a_line(column: str) -> None:
    applied(f"email,{column}\na@example.org,2016-01-01\nb@example.org,\nc@example.org,yes\n", "en")
    assert list(on_list()) == ["b@example.org"]


@pytest.mark.parametrize(
    "date", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "2024-13-45", "2024-01-01x"]
)
def test_an_impossible_date_is_ignored(date: str) -> None:
    applied(f"email,created_at\na@example.org,{date}\n", "en")
    assert len(on_list()) == 1


def test_a_file_that_raises_fails_once_and_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_text: str) -> None:
        raise OverflowError("planted@example.org")

    monkeypatch.setattr(columns, "parse_utc_datetime", breaks)
    row = checked("email,created_at\na@example.org,2024-01-01\n", "en")
    assert row.status == ImportStatus.FAILED
    assert schedule.run_due(NOW + DAY).imports == []


def test_an_invalid_byte_does_not_change_the_detected_encoding() -> None:
    raw = "email,x\na@пошта.бел,так\n".encode() + b"b@example.org,\xd4\n"
    applied(raw, "en")
    assert set(on_list()) == {"a@xn--80a1acn3a.xn--90ais", "b@example.org"}


def test_a_quotation_mark_inside_a_cell_is_literal() -> None:
    applied('email,x\na@example.org,5" of rain\nb@example.org,y\n', "en")
    assert set(on_list()) == {"a@example.org", "b@example.org"}


def test_swapped_chunks_do_not_open() -> None:
    row = import_from_chunks([b"email\n" + b"a@example.org\n" * 30_000], None, NOW)
    first, second = row.chunks.all()
    first.sealed, second.sealed = second.sealed, first.sealed
    first.save()
    second.save()
    dry_run.check_import(row.pk, clock)
    row.refresh_from_db()
    assert row.status == ImportStatus.FAILED


@pytest.mark.both_databases
def test_undo_during_apply_removes_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "BATCH_SIZE", 2)
    row = checked("email\n" + "".join(f"r{n}@example.org\n" for n in range(7)), "en")
    apply.request_apply(row, make_user(), NOW)
    inserted, batches = apply._insert, iter(range(9))

    def undone_in_between(*about: object) -> int:
        count = inserted(*about)  # type: ignore[arg-type]
        if next(batches) == 1:
            apply.request_undo(row, make_user(), NOW)
        return count

    monkeypatch.setattr(apply, "_insert", undone_in_between)
    apply.apply_import(row.pk, clock)
    apply.undo_import(row.pk, clock)
    row.refresh_from_db()
    assert (row.status, row.removed) == (ImportStatus.UNDONE, 4)
    assert not Subscriber.objects.exists()


# --- Undoing ---------------------------------------------------------------------------


@pytest.mark.both_databases
def test_undo_removes_whom_it_added_and_who_changed_nothing_since() -> None:
    stays = make_subscriber(edition=Edition.objects.get(code="en"), address="old@example.org")
    row = applied("email\na@example.org\nb@example.org\nc@example.org\n", "en")
    keys = sealing.worker_keys()
    subscribers = {one.address(keys): one for one in Subscriber.objects.active()}
    subscribers["b@example.org"].end(SubscriberStatus.UNSUBSCRIBED, NOW)
    other = Edition.objects.get(code="be-ru")
    preferences.update_preferences(
        subscribers["c@example.org"], edition=other, variant="full", language="be"
    )
    apply.request_undo(row, make_user(), NOW)
    apply.undo_import(row.pk, clock)
    row.refresh_from_db()
    assert (row.status, row.removed) == (ImportStatus.UNDONE, 1)
    assert set(on_list()) == {"old@example.org", "c@example.org"}
    assert Suppression.objects.get().reason == "left"
    assert Subscriber.objects.filter(pk=stays.pk).exists()
    # No backup from before brings them back either.
    assert [one.kind for one in Departure.objects.all()] == ["l", "f"]


def test_what_was_undone_may_be_imported_again() -> None:
    row = applied("email\na@example.org\n", "en")
    apply.request_undo(row, make_user(), NOW)
    apply.undo_import(row.pk, clock)
    assert applied("email\na@example.org\n", "en").added == 1


def test_each_step_is_audited() -> None:
    row = applied("email\na@example.org\n", "en")
    apply.request_undo(row, make_user(), NOW)
    done = set(AuditEntry.objects.filter(subject_id=row.pk).values_list("action", flat=True))
    assert {AuditAction.UPLOADED, AuditAction.APPLIED, AuditAction.UNDONE} <= done


def test_a_step_that_is_not_next_is_refused() -> None:
    row = checked("email\na@example.org\n", "en")
    with pytest.raises(InvalidTransition):
        apply.request_undo(row, make_user(), NOW)
    apply.request_apply(row, make_user(), NOW)
    with pytest.raises(InvalidTransition):
        apply.request_apply(row, make_user(), NOW)
    with pytest.raises(InvalidTransition, match="Undo it"):
        apply.discard_import(row, make_user(), NOW)
    assert not AuditEntry.objects.filter(action=AuditAction.DISCARDED).exists()


# --- What a dry run gives away ------------------------------------------------------------

MADE_UP = "".join(f"nobody{n}@example.org\n" for n in range(60))


def seen(row: Import) -> tuple[object, ...]:
    """All that staff and the web process are told of it."""
    return (row.status, *(row.shown(name) for name in COUNTS), row.said())


@pytest.mark.parametrize("around", ["", MADE_UP])
def test_a_dry_run_says_the_same_whether_or_not_one_person_is_on_the_list(around: str) -> None:
    """Alone in the file, or among so many made-up ones that the file is no small one."""
    text = f"email\n{around}asked@example.org\n"
    before = seen(checked(text, "en"))
    subscriber = make_subscriber(
        edition=Edition.objects.get(code="en"), address="asked@example.org"
    )
    assert seen(checked(text, "en")) == before
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    assert seen(checked(text, "en")) == before


def test_the_row_shows_no_interim_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "BATCH_SIZE", 1)
    rows: list[Import] = []
    renewed = Import.renew

    def looked_at(self: Import, now: dt.datetime) -> None:
        renewed(self, now)
        rows.append(Import.objects.get(pk=self.pk))

    monkeypatch.setattr(Import, "renew", looked_at)
    checked(f"email\n{MADE_UP}", "en")
    assert len(rows) == 60
    assert {row.new + row.known + row.suppressed + row.doubled for row in rows} == {0}


def test_each_dry_run_counts_as_one_lookup(settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL = settings.SUBSCRIBER_LOOKUPS_PER_DAY = 3
    for text in ("a@example.org\n", MADE_UP):
        assert checked(f"email\n{text}", "en").status == ImportStatus.CHECKED
    inquiry = lookup.request_lookup("a@example.org", make_user(), NOW)
    lookup.answer_lookup(inquiry.pk, NOW)
    refused = checked("email\na@example.org\n", "en")
    assert (refused.status, refused.new) == (ImportStatus.FAILED, 0)
    assert "used up" in refused.failure
    assert not refused.staged.exists()
    assert not refused.chunks.exists()
    with pytest.raises(TooManyLookups):
        lookup.request_lookup("a@example.org", make_user(), NOW)


@pytest.mark.both_databases
def test_concurrent_dry_runs_share_the_limit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both were begun while there was one question left; the answer is what counts."""
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 1
    monkeypatch.setattr(lookup_limits, "check_quota", lambda *_about: None)
    assert checked("email\na@example.org\n", "en").status == ImportStatus.CHECKED
    assert checked("email\na@example.org\n", "en").status == ImportStatus.FAILED


def test_each_dry_run_and_its_discarding_are_audited() -> None:
    row = checked(f"email\n{MADE_UP}rubbish\n", "en")
    pk = row.pk
    apply.discard_import(row, make_user(), NOW)
    assert not Import.objects.exists()
    entries = {entry.action: entry.detail for entry in AuditEntry.objects.filter(subject_id=pk)}
    for action in (AuditAction.CHECKED, AuditAction.DISCARDED):
        assert "lines: 61; new: 60–69" in entries[action]
        assert "invalid: 1" in entries[action]


def test_the_command_has_exact_counts_and_no_limit(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 0
    (tmp_path / "list.csv").write_text("email\na@example.org\n")
    call_command("import_subscribers", tmp_path / "list.csv", edition="en")
    assert "1 lines: 1 new, 0 known" in capsys.readouterr().out


# --- Workers ---------------------------------------------------------------------------


class Killed(BaseException):
    """As by SIGKILL: nothing is caught, nothing tidied up."""


@pytest.mark.both_databases
def test_a_killed_dry_run_starts_again_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dry_run, "BATCH_SIZE", 2)
    text = "email\n" + "".join(f"r{n}@example.org\nrubbish{n}\n" for n in range(5))
    raw = text.encode()
    row = import_from_chunks([raw], Edition.objects.get(code="en"), NOW)
    renewed = Import.renew
    calls = iter(range(10))

    def killed(self: Import, now: dt.datetime) -> None:
        if next(calls) == 2:
            raise Killed
        renewed(self, now)

    with monkeypatch.context() as patch:
        patch.setattr(Import, "renew", killed)
        with pytest.raises(Killed):
            dry_run.check_import(row.pk, clock)
    assert not dry_run.check_import(row.pk, clock), "the dead worker's lease still holds"
    later = NOW + dt.timedelta(minutes=6)
    assert schedule.run_due(later).imports == [row.pk]
    found = dry_run.check_import(row.pk, lambda: later)
    assert found == Counter(lines=10, new=5, invalid=5)
    assert row.staged.count() == 5


@pytest.mark.both_databases
def test_a_killed_apply_continues_and_adds_everybody_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "BATCH_SIZE", 2)
    row = checked("email\n" + "".join(f"r{n}@example.org\n" for n in range(7)), "en")
    apply.request_apply(row, make_user(), NOW)

    holds, batches = Import.hold, iter(range(9))

    def killed(self: Import, status: ImportStatus, now: dt.datetime) -> bool:
        if next(batches) == 1:
            raise Killed
        return holds(self, status, now)

    with monkeypatch.context() as patch:
        patch.setattr(Import, "hold", killed)
        with pytest.raises(Killed):
            apply.apply_import(row.pk, clock)
    assert Subscriber.objects.count() == 2
    later = NOW + dt.timedelta(minutes=6)
    process_import(row.pk)  # The lease of the dead one is long over by the real clock.
    apply.apply_import(row.pk, lambda: later)
    row.refresh_from_db()
    assert (row.status, row.added) == (ImportStatus.APPLIED, 7)
    assert Subscriber.objects.count() == 7


@pytest.mark.both_databases
def test_two_workers_do_not_do_one_import_at_once() -> None:
    row = import_from_chunks([b"email\na@example.org\n"], Edition.objects.get(code="en"), NOW)
    assert row.take(NOW)
    assert not dry_run.check_import(row.pk, clock)


def test_it_runs_only_where_the_key_is(without_worker_key: None, tmp_path: Path) -> None:
    row = import_from_chunks([b"email\na@example.org\n"], Edition.objects.get(code="en"), NOW)
    with pytest.raises(KeyNotFound):
        dry_run.check_import(row.pk, clock)
    (tmp_path / "list.csv").write_text("email\n")
    with pytest.raises(CommandError, match="not given the worker's key"):
        call_command("import_subscribers", tmp_path / "list.csv")


def test_an_unapplied_import_expires_after_a_week() -> None:
    checked("email\na@example.org\n", "en")
    ChunkWriter(NOW).write(b"half")
    retention.apply_retention(NOW + 7 * DAY)
    assert not Import.objects.exists()
    assert not StagedSubscriber.objects.exists()


def dump() -> bytes:
    """Every table of the list's, as bytes."""
    with connection.cursor() as cursor:
        found = b""
        for model in (Import, ImportChunk, StagedSubscriber, Subscriber):
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            for cells in cursor.fetchall():
                found += b"|".join(
                    bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
                    for cell in cells
                )
    return found


@pytest.mark.both_databases
def test_no_address_is_ever_in_clear_in_the_database() -> None:
    row = import_from_chunks(
        [b"email\nplanted@example.org\nplanted-rubbish@\n"], Edition.objects.first(), NOW
    )
    assert b"planted" not in dump()
    dry_run.check_import(row.pk, clock)
    assert b"planted" not in dump()
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, clock)
    assert b"planted" not in dump()
    assert on_list()


# --- The command -----------------------------------------------------------------------


def test_the_command_is_a_dry_run_by_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,edition\na@example.org,en\nplanted,en\n")
    call_command("import_subscribers", path)
    said = capsys.readouterr().out
    assert "2 lines: 1 new" in said
    assert "Line 3: This is no address" in said
    assert "planted" not in said
    assert not Subscriber.objects.exists()
    assert not Import.objects.exists()
    call_command("import_subscribers", path, "--apply")
    assert Subscriber.objects.count() == 1
    call_command("import_subscribers", "--undo", str(Import.objects.get().pk))
    assert "1 of 1 removed again" in capsys.readouterr().out
    assert not Subscriber.objects.exists()


def test_the_command_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_subscribers", path)
    path.write_text("")
    with pytest.raises(CommandError, match="empty"):
        call_command("import_subscribers", path)
    path.write_text("who\nx\n")
    with pytest.raises(CommandError, match="email"):
        call_command("import_subscribers", path)
    with pytest.raises(CommandError, match="There are: en, be-ru"):
        call_command("import_subscribers", path, "--edition", "fr")
    with pytest.raises(CommandError, match="Which file"):
        call_command("import_subscribers")
    with pytest.raises(CommandError, match="no import 7"):
        call_command("import_subscribers", "--undo", "7")


# --- Reading ---------------------------------------------------------------------------


def test_an_endless_line_does_not_fill_the_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"email\n"
        for _ in range(200):
            yield b"x" * 65536
        yield b"\na@example.org\n"

    found = list(reading.read_rows(pieces))
    assert [row.line for row in found] == [1, 2, 3]
    assert found[1].cells is None
    assert found[2].cells == ["a@example.org"]


def test_a_stray_quotation_mark_costs_its_own_line_only() -> None:
    text = (
        b'email,name\na@example.org,O"Neil\nb@example.org,x\nc@example.org,"y"\nd@example.org,P"\n'
    )
    cells = {row.line: row.cells for row in reading.read_rows(lambda: [text])}
    assert cells[3] == ["b@example.org", "x"]
    assert cells[4] == ["c@example.org", "y"]


def test_an_upload_needs_a_key_to_seal_with(settings: object, tmp_path: Path) -> None:
    settings.INTAKE_KEY_FILE = tmp_path / "none"  # type: ignore[attr-defined]
    with pytest.raises(KeyNotFound):
        ChunkWriter(NOW)
    assert not Import.objects.exists()
