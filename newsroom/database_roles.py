"""Two roles in PostgreSQL: the web process's and the worker's, each with the rights it needs.

The tables belong to a third role, which only `migrate` uses. The worker may read and write rows
of every table; the web process too, but for the tables below, from which a worker takes what it
sends, to whom, and how often. `docs/installing.md` says how to make the roles.
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

WEB, WORKER = "newsroom_web", "newsroom_worker"
SIGNED = "newsletter.Variant"
ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class OnColumns:
    """A right on some of a table's columns: on these alone, or on all but these."""

    right: str
    only: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()

    def clause(self, there: set[str]) -> str:
        """As GRANT takes it, for the columns that are there; empty where none of them is."""
        chosen = sorted((there & self.only if self.only else there) - self.but)
        return f"{self.right} ({', '.join(map(_quoted, chosen))})" if chosen else ""


Right = str | OnColumns
IMPORT_COUNTS = frozenset({"new", "known", "suppressed", "doubled", "added", "removed"})
"""What a worker counts against the list, to the nearest ten."""
WEB_MAY: dict[str, tuple[Right, ...]] = {
    # A sign-up becomes a subscriber in a worker; leaving and forgetting are the subscriber's own.
    "newsletter.Subscriber": ("SELECT", "UPDATE", "DELETE"),
    # A mail becomes due by confirming and by asking for one, and is dropped by leaving.
    "newsletter.OutboxMail": ("SELECT", "INSERT", "DELETE"),
    # Approving adds letters. Which of them leaves, a worker decides: campaigns/signing.py.
    SIGNED: ("SELECT", "INSERT"),
    "newsletter.Delivery": ("SELECT", "INSERT", "UPDATE"),
    # Whoever pauses a mailing locks its lanes' rows, for which PostgreSQL asks for UPDATE.
    "newsletter.Lane": ("SELECT", "UPDATE"),
    "newsletter.RelayState": ("SELECT",),
    "newsletter.Throttle": ("SELECT",),
    # How often a worker has answered today, and whom it has asked to confirm.
    "newsletter.WorkerQuota": ("SELECT",),
    "newsletter.JournalMark": ("SELECT",),
    "newsletter.HashGeneration": ("SELECT",),
    # A question about the list is answered, counted and named by a worker.
    # Deleting an edition takes it out of old answers.
    "newsletter.Inquiry": (
        *("SELECT", "INSERT", "DELETE"),
        OnColumns("UPDATE", only=frozenset({"wish", "edition_id"})),
    ),
    "newsletter.Import": (
        *("SELECT", "INSERT", "DELETE"),
        OnColumns("UPDATE", but=IMPORT_COUNTS),
    ),
    # What is no subscriber yet has a keyed hash, and so has whoever a list calls gone.
    "newsletter.StagedReader": (OnColumns("SELECT", but=frozenset({"address_hash"})), "DELETE"),
    "staff.AuditEntry": ("SELECT", "INSERT"),
}


def exist(connection: BaseDatabaseWrapper) -> bool:
    """Whether this database has the two roles."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname IN (%s, %s)", [WEB, WORKER])
        return bool(cursor.fetchone()[0] == 2)


def create(connection: BaseDatabaseWrapper, passwords: dict[str, str]) -> None:
    """Makes the roles that are not there, and sets these passwords. The owner must be allowed to.

    Raises DatabaseError where it is not.
    """
    with connection.cursor() as cursor:
        for role, password in passwords.items():
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = "ALTER" if cursor.fetchone() else "CREATE"
            statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                sql.SQL(verb), sql.Identifier(role), sql.Literal(password)
            )
            cursor.execute(statement.as_string(cursor.connection))


def grant(connection: BaseDatabaseWrapper) -> None:
    """Gives both roles their rights on every table, and takes any other away."""
    web_may = {_table(label): rights for label, rights in WEB_MAY.items()}
    migrations = MigrationRecorder.Migration._meta.db_table
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        for table in sorted(there & (tables | {migrations})):
            read_only = table == migrations
            described = connection.introspection.get_table_description(cursor, table)
            columns = {column.name for column in described}
            web = ("SELECT",) if read_only else web_may.get(table, ALL)
            _grant(cursor, WEB, table, web, columns)
            _grant(cursor, WORKER, table, ("SELECT",) if read_only else ALL, columns)
        for role in (WEB, WORKER):
            cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")


def _grant(
    cursor: CursorWrapper, role: str, table: str, rights: tuple[Right, ...], columns: set[str]
) -> None:
    clauses = [one if isinstance(one, str) else one.clause(columns) for one in rights]
    cursor.execute(f"REVOKE ALL ON {_quoted(table)} FROM {role}")
    cursor.execute(f"GRANT {', '.join(filter(None, clauses))} ON {_quoted(table)} TO {role}")


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def rights_of_the_web_process(
    databases: Iterable[str] | None = None, **_kwargs: Any
) -> Iterator[CheckMessage]:
    """Whether this process's own role could change what a worker is going to send."""
    if not settings.PRODUCTION or settings.WORKER_KEY_FILE is not None:
        return
    for name in databases or []:
        connection = connections[name]
        if connection.vendor != "postgresql" or not _may_update(connection, SIGNED):
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
