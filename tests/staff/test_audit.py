"""The audit: who did what, to be read and by nobody changed."""

from __future__ import annotations

import importlib

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.test import Client

from staff.audit import record
from staff.models import AuditAction, AuditEntry, AuditEntryImmutable
from tests.articles.browser import visible_text
from tests.factories import MONDAY_MORNING, make_article, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/staff/auditentry/"


def an_entry() -> AuditEntry:
    article = make_article(published_in=())
    return record(
        AuditAction.PUBLISHED, article, by=article.owner, now=MONDAY_MORNING, language="be"
    )


@pytest.fixture
def triggers() -> None:
    """As the migration makes them; the tests' own database leaves one of them out."""
    migration = importlib.import_module("staff.migrations.0002_audit")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS the_audit_is_final_update")
            for trigger in migration.SQLITE:
                cursor.execute(trigger)


def test_the_program_refuses_to_change_an_entry() -> None:
    entry = an_entry()
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="x"),
    ):
        with pytest.raises(AuditEntryImmutable):
            attempt()


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "statement", ["UPDATE staff_auditentry SET actor = 'x'", "DELETE FROM staff_auditentry"]
)
def test_the_database_refuses_it_too(triggers: None, statement: str) -> None:
    an_entry()
    with (
        pytest.raises(DatabaseError, match="neither changed nor deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEntry.objects.get().actor == "editor"


@pytest.mark.both_databases
def test_an_entry_outlives_who_and_what_it_speaks_of() -> None:
    entry = an_entry()
    make_article(title="Other", owner=make_user(username="second"), published_in=())
    User.objects.get(username="second").articles.all().delete()
    User.objects.get(username="second").delete()
    assert AuditEntry.objects.get() == entry


def test_no_network_address_has_a_place_in_it() -> None:
    names = {field.name for field in AuditEntry._meta.get_fields()}
    assert names == {
        *("id", "at", "actor_id", "actor", "action", "subject_type", "subject_id", "subject"),
        *("subject_spoken", "language", "detail"),
    }


def test_it_is_read_in_the_admin_and_not_even_a_superuser_changes_it(client: Client) -> None:
    entry = an_entry()
    client.force_login(make_user())
    page = client.get(LIST)
    assert "editor" in visible_text(page)
    assert "Published" in visible_text(page)
    assert f'href="/admin/articles/article/{entry.subject_id}/change/" lang="en"' in (
        page.content.decode()
    )
    assert client.get(LIST, {"action": "withdrew"}).status_code == 200
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(f"{LIST}{entry.pk}/change/", {"actor": "x"}).status_code == 403
    assert client.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert 'name="action"' not in page.content.decode()


def test_an_automatic_action_has_no_user(client: Client) -> None:
    record(AuditAction.SENT, make_article(), by=None, now=MONDAY_MORNING)
    client.force_login(make_user())
    assert "the newsroom itself" in visible_text(client.get(LIST))
