"""PostgreSQL roles of the web process and of the worker.

A third role owns the tables and is used by `migrate` alone. The worker may read and write every
table; the web process too, except those of WEB_RIGHTS, which decide what is sent, to whom and how
often. `docs/installing.md` says how to create the roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

WEB_ROLE, WORKER_ROLE = "newsroom_web", "newsroom_worker"
SIGNED_MODEL = "newsletter.Variant"
ALL_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class ColumnRight:
    """A right on some of a table's columns."""

    right: str
    only: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def grant_clause(self, existing: set[str]) -> str:
        """For GRANT, for the columns that exist; empty if none does."""
        chosen = sorted((existing & self.only if self.only else existing) - self.exclude)
        return f"{self.right} ({', '.join(map(_quoted, chosen))})" if chosen else ""


Right = str | ColumnRight
IMPORT_COUNTS = frozenset({"new", "known", "suppressed", "doubled", "added", "removed"})
"""Written by a worker, rounded to tens."""
WEB_RIGHTS: dict[str, tuple[Right, ...]] = {
    # A worker inserts subscribers; unsubscribing and forgetting happen in the web process.
    "newsletter.Subscriber": ("SELECT", "UPDATE", "DELETE"),
    # Confirming and requesting a mail insert, unsubscribing deletes.
    "newsletter.OutboxMail": ("SELECT", "INSERT", "DELETE"),
    # Approval inserts variants; a worker signs them: campaigns/signing.py.
    SIGNED_MODEL: ("SELECT", "INSERT"),
    "newsletter.Delivery": ("SELECT", "INSERT", "UPDATE"),
    # Pausing locks the rows of lanes: SELECT FOR UPDATE needs UPDATE.
    "newsletter.Lane": ("SELECT", "UPDATE"),
    "newsletter.RelayState": ("SELECT",),
    "newsletter.RateLimiter": ("SELECT",),
    # Lookups and confirmations of the day.
    "newsletter.WorkerQuota": ("SELECT",),
    "newsletter.DeparturesLogPosition": ("SELECT",),
    "newsletter.HashGeneration": ("SELECT",),
    # A worker answers lookups. Deleting an edition sets the column to null.
    "newsletter.SubscriberLookup": (
        *("SELECT", "INSERT", "DELETE"),
        ColumnRight("UPDATE", only=frozenset({"wish", "edition_id"})),
    ),
    "newsletter.Import": (
        *("SELECT", "INSERT", "DELETE"),
        ColumnRight("UPDATE", exclude=IMPORT_COUNTS),
    ),
    # The hash of an address that is not on the list yet.
    "newsletter.StagedSubscriber": (
        ColumnRight("SELECT", exclude=frozenset({"address_hash"})),
        "DELETE",
    ),
    "staff.AuditEntry": ("SELECT", "INSERT"),
}


def roles_exist(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database has both roles."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname IN (%s, %s)", [WEB_ROLE, WORKER_ROLE]
        )
        return bool(cursor.fetchone()[0] == 2)


def create_roles(connection: BaseDatabaseWrapper, passwords: dict[str, str]) -> None:
    """Creates missing roles and sets the passwords. Raises DatabaseError without CREATEROLE."""
    with connection.cursor() as cursor:
        for role, password in passwords.items():
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
            )
            cursor.execute(statement.as_string(cursor.connection))


def grant_rights(connection: BaseDatabaseWrapper) -> None:
    """Sets both roles' rights on every table."""
    web_may = {_table(label): rights for label, rights in WEB_RIGHTS.items()}
    migrations = MigrationRecorder.Migration._meta.db_table
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    with connection.cursor() as cursor:
        existing = set(connection.introspection.table_names(cursor))
        for table in sorted(existing & (tables | {migrations})):
            read_only = table == migrations
            described = connection.introspection.get_table_description(cursor, table)
            columns = {column.name for column in described}
            web = ("SELECT",) if read_only else web_may.get(table, ALL_RIGHTS)
            _grant(cursor, WEB_ROLE, table, web, columns)
            _grant(cursor, WORKER_ROLE, table, ("SELECT",) if read_only else ALL_RIGHTS, columns)
        for role in (WEB_ROLE, WORKER_ROLE):
            cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")


def _grant(
    cursor: CursorWrapper, role: str, table: str, rights: tuple[Right, ...], columns: set[str]
) -> None:
    clauses = [one if isinstance(one, str) else one.grant_clause(columns) for one in rights]
    cursor.execute(f"REVOKE ALL ON {_quoted(table)} FROM {role}")
    cursor.execute(f"GRANT {', '.join(filter(None, clauses))} ON {_quoted(table)} TO {role}")


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def web_process_rights(
    databases: Iterable[str] | None = None, **_kwargs: Any
) -> Iterator[CheckMessage]:
    """The web process's role may not change variants."""
    if not settings.PRODUCTION or settings.WORKER_KEY_FILE is not None:
        return
    for name in databases or []:
        connection = connections[name]
        if connection.vendor != "postgresql" or not _may_update(connection, SIGNED_MODEL):
            continue
        yield Warning(
            "The web process may write tables that are the worker's alone.",
            hint="Give it the role newsroom_web in DATABASE_URL: docs/installing.md, “Roles”.",
            id="newsroom.W044",
        )


def _may_update(connection: BaseDatabaseWrapper, label: str) -> bool:
    table = _table(label)
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            return False
        cursor.execute("SELECT has_table_privilege(%s, 'UPDATE')", [table])
        return bool(cursor.fetchone()[0])


def _table(label: str) -> str:
    return str(apps.get_model(label)._meta.db_table)
