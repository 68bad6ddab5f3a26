"""What the web process's and the worker's roles may do, on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from psycopg.errors import InsufficientPrivilege

from newsroom import database_roles
from newsroom.database_roles import WEB_RIGHTS, WEB_ROLE, WORKER_ROLE
from tests.factories import make_mailing
from tests.services import ROOT, PostgreSQL, ServiceNotInstalled, running_postgresql, skip_or_fail

pytestmark = pytest.mark.django_db
ONLY_ON_POSTGRESQL = "SQLite has no roles."


@pytest.fixture
def on_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip(ONLY_ON_POSTGRESQL)


@pytest.fixture
def cluster() -> Iterator[PostgreSQL]:
    try:
        with running_postgresql() as running:
            yield running
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


def may(role: str, statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {role}")
            cursor.execute(statement)
    except ProgrammingError as refused:
        if isinstance(refused.__cause__, InsufficientPrivilege):
            return False
        raise
    return True


@pytest.mark.both_databases
@pytest.mark.usefixtures("on_postgresql")
def test_the_web_process_can_rewrite_no_letter_and_a_worker_can() -> None:
    make_mailing()
    for statement in (
        "UPDATE newsletter_variant SET content = ''",
        "UPDATE newsletter_variant SET signature = 'x'",
        "DELETE FROM newsletter_variant",
        "INSERT INTO newsletter_subscriber DEFAULT VALUES",
        "DELETE FROM newsletter_delivery",
        "UPDATE newsletter_ratelimiter SET paid_until = now()",
        "UPDATE newsletter_relaystate SET failures = 0",
        "TRUNCATE newsletter_suppression",
        "SELECT address_hash FROM newsletter_stagedsubscriber",
        "UPDATE newsletter_subscriberlookup SET answer = 'known'",
        "UPDATE newsletter_workerquota SET count = 0",
        "UPDATE newsletter_import SET known = 0",
        "UPDATE staff_auditentry SET detail = ''",
        "CREATE TABLE mine ()",
        "ALTER TABLE newsletter_variant DISABLE TRIGGER ALL",
    ):
        assert not may(WEB_ROLE, statement), statement
    assert may(WORKER_ROLE, "UPDATE newsletter_variant SET signature = 'x'")
    assert not may(WORKER_ROLE, "TRUNCATE newsletter_suppression")
    assert not may(WORKER_ROLE, "DROP TABLE newsletter_variant")


@pytest.mark.both_databases
@pytest.mark.usefixtures("on_postgresql")
def test_each_table_is_granted_to_both_and_none_is_forgotten() -> None:
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if not model._meta.managed or table not in connection.introspection.table_names(cursor):
                continue
            for role in (WEB_ROLE, WORKER_ROLE):
                cursor.execute("SELECT has_any_column_privilege(%s, %s, 'SELECT')", [role, table])
                assert cursor.fetchone() == (True,), (role, table)
    assert all(apps.get_model(label) for label in WEB_RIGHTS)


def manage(address: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={"PATH": os.defpath, "DATABASE_URL": address, **env},
        capture_output=True,
        text=True,
    )


@pytest.mark.long
def test_the_command_makes_the_roles_and_says_what_is_missing(cluster: PostgreSQL) -> None:
    address = cluster.create("empty")
    passwords = {"WEB_DATABASE_PASSWORD": "a'b", "WORKER_DATABASE_PASSWORD": "c"}
    assert manage(address, "create_database_roles", **passwords).returncode == 0
    again = manage(address, "create_database_roles", **passwords)
    assert "gives them their rights" in again.stdout
    refused = manage(address, "create_database_roles")
    assert "Set WEB_DATABASE_PASSWORD and WORKER_DATABASE_PASSWORD." in refused.stderr
    same = {name: "one" for name in passwords}
    assert "need two passwords" in manage(address, "create_database_roles", **same).stderr
    as_web = address.replace("newsroom@", f"{WEB_ROLE}@")
    denied = manage(as_web, "create_database_roles", **passwords)
    assert "createuser" in denied.stderr
    assert "a'b" not in denied.stderr
    sqlite = manage("sqlite:///:memory:", "create_database_roles", **passwords)
    assert "Only PostgreSQL has roles" in sqlite.stderr


@pytest.mark.both_databases
@pytest.mark.usefixtures("on_postgresql")
@pytest.mark.parametrize(("role", "warned"), [(WEB_ROLE, []), (WORKER_ROLE, ["newsroom.W044"])])
def test_a_web_process_with_more_rights_is_warned(
    role: str, warned: list[str], settings: object
) -> None:
    settings.PRODUCTION, settings.WORKER_KEY_FILE = True, None  # type: ignore[attr-defined]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
        found = database_roles.web_process_rights(databases=["default"])
        assert [message.id for message in found] == warned
        cursor.execute("RESET ROLE")
