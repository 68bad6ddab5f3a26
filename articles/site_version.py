# ruff: noqa: S608 (a table's name cannot be a parameter, and all of them are constants)
"""Invalidates the page cache: a number that grows with every change that a public page can show.

Database triggers increment it in the same transaction, whatever path the change takes: save, bulk,
`update()`, cascade, raw SQL. The tables are those of models decorated with `@bumps_site_version`;
`create_triggers` follows every `migrate`.

On PostgreSQL a deferred constraint trigger locks the row at the commit only, so that two editors
do not wait for each other; being the last lock, it cannot deadlock. SQLite has one writer anyway.

The number is the clock in microseconds, or the last number plus one: it never repeats, not even
after a backup is restored.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from django.db import DatabaseError, InterfaceError, connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db import models
    from django.db.backends.base.base import BaseDatabaseWrapper

    M = TypeVar("M", bound=type[models.Model])

TABLE = "articles_siteversion"
TRIGGER_PREFIX = "site_version_"
_models: list[type[models.Model]] = []

# Once a transaction, however many rows change.
POSTGRESQL_INCREMENT = f"""
  INSERT INTO {TABLE} AS known (id, number)
  VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
  ON CONFLICT (id) DO UPDATE SET number = greatest(known.number + 1, excluded.number)
  WHERE known.xmin <> pg_current_xact_id()::xid
"""
POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {TRIGGER_PREFIX}grows() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN {POSTGRESQL_INCREMENT}; RETURN NULL; END $$
"""
# No ON CONFLICT: the clause of the statement that fires the trigger would override it.
SQLITE_INCREMENT = (
    f"INSERT INTO {TABLE} (id, number) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM {TABLE})",
    f"UPDATE {TABLE} SET number = "
    "max(number + 1, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))",
)


def bumps_site_version(model: M) -> M:
    """Decorates a model whose rows public pages show or depend on."""
    _models.append(model)
    return model


def tracked_tables() -> list[str]:
    """Tables of the decorated models and of their many-to-many relations."""
    of_models = (model._meta for model in _models)
    found = set()
    for meta in of_models:
        found.add(meta.db_table)
        found |= {field.m2m_db_table() for field in meta.local_many_to_many}
    return sorted(found)


def current() -> int | None:
    """The committed number. None on a database error, or before the first change.

    For a thread with its own connection, which is reopened after an error.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT number FROM {TABLE}")
            row = cursor.fetchone()
    except (DatabaseError, InterfaceError):
        connection.close()
        return None
    return row[0] if row else None


def create_triggers(database: BaseDatabaseWrapper) -> None:
    """Creates missing triggers, drops obsolete ones and increments the number.

    Skips tables that a partial `migrate` has not created. SQLite drops the triggers of a table
    that a migration rebuilds, so this follows every `migrate`.
    """
    existing = set(database.introspection.table_names())
    shown = [table for table in tracked_tables() if table in existing] if TABLE in existing else []
    _set_triggers(database, shown)
    with database.cursor() as cursor:
        if shown:
            grows = [POSTGRESQL_INCREMENT] if database.vendor == "postgresql" else SQLITE_INCREMENT
            for statement in grows:
                cursor.execute(statement)


def drop_triggers(database: BaseDatabaseWrapper) -> None:
    """For the reverse migration, before the number's table is dropped."""
    _set_triggers(database, [])


def _set_triggers(database: BaseDatabaseWrapper, shown: list[str]) -> None:
    """Makes the database have exactly these tables' triggers."""
    wanted = {name: sql for table in shown for name, sql in _triggers(database, table)}
    with database.cursor() as cursor:
        cursor.execute(_EXISTING[database.vendor])
        existing = dict(cursor.fetchall())
        for name in existing.keys() - wanted.keys():
            on = f" ON {existing[name]}" if database.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER {name}{on}")
        missing = wanted.keys() - existing.keys()
        if missing and database.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for name in sorted(missing):
            cursor.execute(wanted[name])


_EXISTING = {
    "sqlite": (
        "SELECT name, tbl_name FROM sqlite_master "
        f"WHERE type = 'trigger' AND name LIKE '{TRIGGER_PREFIX}%'"
    ),
    "postgresql": (
        "SELECT tgname, tgrelid::regclass::text FROM pg_trigger "
        f"WHERE NOT tgisinternal AND tgname LIKE '{TRIGGER_PREFIX}%'"
    ),
}


def _triggers(database: BaseDatabaseWrapper, table: str) -> Iterator[tuple[str, str]]:
    """Names and statements. The name contains the statement's hash, so a new one replaces it."""
    bodies = _of_postgresql(table) if database.vendor == "postgresql" else _of_sqlite(table)
    for verb, body in bodies.items():
        said = hashlib.sha256((verb + body + POSTGRESQL_FUNCTION).encode()).hexdigest()[:8]
        name = f"{TRIGGER_PREFIX}{said}"
        yield name, body.format(name=name)


def _of_postgresql(table: str) -> dict[str, str]:
    grows = f"EXECUTE FUNCTION {TRIGGER_PREFIX}grows()"
    return {
        "write": (
            f"CREATE CONSTRAINT TRIGGER {{name}} AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW {grows}"
        ),
        "truncate": (
            f"CREATE TRIGGER {{name}} AFTER TRUNCATE ON {table} FOR EACH STATEMENT {grows}"
        ),
    }


def _of_sqlite(table: str) -> dict[str, str]:
    body = "; ".join(SQLITE_INCREMENT)
    return {
        verb: f"CREATE TRIGGER {{name}} AFTER {verb} ON {table} BEGIN {body}; END"
        for verb in ("INSERT", "UPDATE", "DELETE")
    }
