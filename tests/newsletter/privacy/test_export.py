"""The list in clear: by a command, with a reason, and harmless to a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from keys import sealing
from newsletter.imports import apply, dry_run
from newsletter.imports.upload import import_from_chunks
from newsletter.models import Edition, Subscriber, SubscriberStatus, VariantKind
from newsletter.privacy import export
from newsletter.privacy.export import escape_cell
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
REASON = "--reason=The newsroom moves to another server."


@pytest.fixture(autouse=True)
def subscribers() -> None:
    edition = make_edition(code="en")
    make_user(username="chief")
    make_subscriber(edition=edition, address="a@example.org", variant=VariantKind.DISCREET)
    make_subscriber(edition=edition, address="=cmd@example.org")
    make_subscriber(edition=make_edition(code="be-ru"), address="b@example.org")
    make_subscriber(edition=edition, address="gone@example.org").end(
        SubscriberStatus.UNSUBSCRIBED, NOW
    )


def exported(path: Path, *more: str) -> list[dict[str, str]]:
    call_command("export_list", path, REASON, "--by=chief", *more)
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.both_databases
def test_only_active_subscribers_are_exported(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    rows = exported(path)
    assert {row["email"] for row in rows} == {"a@example.org", "'=cmd@example.org", "b@example.org"}
    assert {row["variant"] for row in rows} == {"full", "discreet"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(exported(tmp_path / "en.csv", "--edition=en")) == 2


def test_what_was_exported_can_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    # Its own first letter is what an export puts before a formula.
    make_subscriber(edition=Edition.objects.get(code="en"), address="'o@example.org")
    Subscriber.objects.update(confirmed_at=dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC))
    keys = sealing.worker_keys()
    before = {
        subscriber.address(keys): (subscriber.edition.code, subscriber.confirmed_at)
        for subscriber in Subscriber.objects.active().select_related("edition")
    }
    exported(path)
    Subscriber.objects.all().delete()
    row = import_from_chunks([path.read_bytes()], None, NOW)
    assert dry_run.check_import(row.pk, lambda: NOW) == Counter(lines=4, new=4)
    apply.request_apply(row, make_user(), NOW)
    apply.apply_import(row.pk, lambda: NOW)
    again = {
        subscriber.address(keys): (subscriber.edition.code, subscriber.confirmed_at)
        for subscriber in Subscriber.objects.select_related("edition")
    }
    assert again == before


@pytest.mark.parametrize("cell", ["=1+1", "+375@x.by", "-2@x.by", "@SUM", "\t=1", "\r=1"])
def test_no_formula_survives(cell: str) -> None:
    assert escape_cell(cell) == f"'{cell}"
    assert escape_cell("a@example.org") == "a@example.org"


def test_an_export_is_audited_before_its_first_byte(tmp_path: Path) -> None:
    with (
        mock.patch.object(export.csv, "writer", side_effect=OSError(28, "No space left")),
        pytest.raises(CommandError, match="No space left"),
    ):
        exported(tmp_path / "list.csv")
    entry = AuditEntry.objects.get(action=AuditAction.EXPORTED)
    assert entry.actor == "chief"
    assert "another server" in entry.detail
    assert not (tmp_path / "list.csv").exists(), "half a list is not left behind"


def test_without_a_reason_a_person_or_a_free_name_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with pytest.raises(CommandError, match="Write in a sentence"):
        call_command("export_list", path, "--reason=because", "--by=chief")
    with pytest.raises(CommandError, match="no user"):
        call_command("export_list", path, REASON, "--by=nobody")
    with pytest.raises(CommandError, match="no edition"):
        call_command("export_list", path, REASON, "--by=chief", "--edition=fr")
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(CommandError, match="exists"):
        call_command("export_list", path, REASON, "--by=chief")
    assert path.read_text() == "mine"


def test_it_runs_only_where_the_key_is(tmp_path: Path, without_worker_key: None) -> None:
    with pytest.raises(CommandError, match="not given the worker's key"):
        exported(tmp_path / "list.csv")


def test_it_goes_to_standard_output_too(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("export_list", "-", REASON, "--by=chief")
    assert len(list(csv.reader(io.StringIO(capsys.readouterr().out)))) == 4


def test_the_admin_has_no_export() -> None:
    folder = Path(export.__file__).parent.parent
    modules = [
        *(folder / "admin").rglob("*.py"),
        folder / "public" / "views.py",
        folder / "tasks.py",
    ]
    assert not any("privacy.export" in path.read_text() for path in modules)
