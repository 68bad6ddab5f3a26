"""Rows and permissions come through the renaming of models, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked_commands import CommandResult, ForkServer
from tests.services import ServiceNotInstalled, running_postgresql, skip_or_fail

pytestmark = pytest.mark.long


@pytest.fixture(params=["sqlite", "postgresql"])
def commands(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForkServer]:
    """What runs commands on a new, empty database."""
    if request.param == "sqlite":
        yield from commands_on(f"sqlite:///{tmp_path}/new/newsroom.sqlite3", tmp_path)
        return
    try:
        with running_postgresql() as postgresql:
            yield from commands_on(postgresql.create("newsroom"), tmp_path)
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


def commands_on(database_url: str, tmp_path: Path) -> Iterator[ForkServer]:
    loaded = ForkServer(
        {"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path / "var"), "DATABASE_URL": database_url}
    )
    yield loaded
    loaded.end()


OLD_ROWS = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("newsletter", "0012_no_mails_due_on_subscribers"),
     ("auth", "0012_alter_user_first_name_max_length")]).apps
WHEN = "2026-11-16T08:00Z"
def make(model, app="newsletter", **fields):
    return apps.get_model(app, model).objects.create(**fields)
edition = make("Edition", code="en", name="EN", languages=["en"], time_zone="UTC",
    sender_address="a@example.org", list_id="en.example.org")
user = make("User", app="auth", username="zubr")
make("Inquiry", asked_by=user, asked_at=WHEN, sealed_address=b"q", answer="known", edition=edition)
make("SetAsideMail", sealed=b"mail", size=4, reason="broken", arrived_at=WHEN)
make("Spending", what="confirmations", since=WHEN, count=5)
make("Throttle", what="relay a:25", paid_until=WHEN)
row = make("Import", uploaded_by=user, uploaded_at=WHEN, status="applied")
make("StagedReader", belongs_to=row, reader=7, address_hash=b"h" * 32, sealed_address=b"s",
    key_generation=1, provider="other", language="en", edition=edition)
make("JournalMark", journal="a" * 16, lines=7)
make("Subscriber", id=8, sealed_address=b"x", key_generation=1, provider="other",
    edition=edition, language="en", signed_up_at=WHEN, came_by=row)
group = make("Group", app="auth", name="Archivists")
group.permissions.set(apps.get_model("auth", "Permission").objects.filter(
    codename__in=["view_setasidemail", "add_inquiry"]))
print(group.permissions.count())
"""
NEW_ROWS = """
from django.contrib.auth.models import Group, Permission
from newsletter.models import (DeparturesLogPosition, Import, QuarantinedMail, Quota, RateLimiter,
    StagedSubscriber, SubscriberLookup)
lookup, mail = SubscriberLookup.objects.get(), QuarantinedMail.objects.get()
print(lookup.asked_by.username, lookup.answer, lookup.edition.code, bytes(lookup.sealed_address))
print(bytes(mail.sealed), mail.size, mail.reason)
print(Quota.spent("confirmations", Quota.objects.get().since))
print(f"{RateLimiter.objects.get().paid_until:%Y-%m-%d %H}")
staged, imported = StagedSubscriber.objects.get(), Import.objects.get()
subscriber = imported.subscribers.get()
print(staged.belongs_to == imported, staged.edition.code, subscriber.pk)
print(DeparturesLogPosition.objects.get())
group = Group.objects.get(name="Archivists")
print(sorted(f"{one.content_type.model}.{one.codename}" for one in group.permissions.all()))
print(Permission.objects.filter(codename__regex="setaside|inquiry").count())
"""


def output(ended: CommandResult) -> list[str]:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_rows_and_permissions_survive_the_renaming_of_models(commands: ForkServer) -> None:
    output(commands.manage("migrate", "newsletter", "0012"))
    output(commands.manage("migrate", "auth"))
    assert output(commands.script(OLD_ROWS)) == ["2"]
    output(commands.manage("migrate"))
    expected = [
        "zubr known en b'q'",
        "b'mail' 4 broken",
        "5",
        "2026-11-16 08",
        "True en 8",
        f"{'a' * 16}: 7",
        "['quarantinedmail.view_quarantinedmail', 'subscriberlookup.add_subscriberlookup']",
        "0",
    ]
    assert output(commands.script(NEW_ROWS)) == expected
    # Backwards and forwards once more, with the rows in it.
    output(commands.manage("migrate", "newsletter", "0012"))
    output(commands.manage("migrate"))
    assert output(commands.script(NEW_ROWS)) == expected
