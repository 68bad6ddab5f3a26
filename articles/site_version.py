# ruff: noqa: S608 (a table's name cannot be a parameter, and all of them are ours)
"""The site's version: one number that grows with every change that a public page can show.

It grows in the change's own transaction, by triggers of the database, so whatever path the change
takes: save, bulk, `update()`, a cascade, SQL by hand. Which tables have them follows from the
models that say `@shown_on_pages`; `migrate` makes what is missing (`make_triggers`).

On PostgreSQL the row is locked at the commit only (a deferred constraint trigger), so two editors
do not wait for each other, and it is always the last lock, which cannot close a circle. SQLite has
one writer anyway.

The number is the clock's microseconds, or one more than it was: so it never comes to the same value
again, not even in a restored backup.
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
PREFIX = "site_version_"
_shown: list[type[models.Model]] = []

# Once for each transaction, however many of its rows change.
POSTGRESQL_GROWS = f"""
  INSERT INTO {TABLE} AS known (id, number)
  VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
  ON CONFLICT (id) DO UPDATE SET number = greatest(known.number + 1, excluded.number)
  WHERE known.xmin <> pg_current_xact_id()::xid
"""
POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {PREFIX}grows() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN {POSTGRESQL_GROWS}; RETURN NULL; END $$
"""
# No ON CONFLICT: that of the statement which fires a trigger would be obeyed instead.
SQLITE_GROWS = (
    f"INSERT INTO {TABLE} (id, number) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM {TABLE})",
    f"UPDATE {TABLE} SET number = "
    "max(number + 1, CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))",
)


def shown_on_pages(model: M) -> M:
    """Decorates a model whose rows a public page can show, or is chosen by."""
    _shown.append(model)
    return model


def tables() -> list[str]:
    """Of the models that pages show, and of the links between them."""
    of_models = (model._meta for model in _shown)
    found = set()
    for meta in of_models:
        found.add(meta.db_table)
        found |= {field.m2m_db_table() for field in meta.local_many_to_many}
    return sorted(found)


def current() -> int | None:
    """The number as it is committed. None where the database does not say, or nothing has changed.

    For a thread with a connection of its own, which is opened anew after an error.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT number FROM {TABLE}")
            row = cursor.fetchone()
    except (DatabaseError, InterfaceError):
        connection.close()
        return None
    return row[0] if row else None


def make_triggers(database: BaseDatabaseWrapper) -> None:
    """Makes those that are missing, drops those that no model wants any more, and grows.

    A table that a partial `migrate` has not made yet is left out. SQLite drops a table's triggers
    whenever a migration makes the table anew, so this follows every `migrate`.
    """
    there = set(database.introspection.table_names())
    shown = [table for table in tables() if table in there] if TABLE in there else []
    _set_triggers(database, shown)
    with database.cursor() as cursor:
        if shown:
            grows = [POSTGRESQL_GROWS] if database.vendor == "postgresql" else SQLITE_GROWS
            for statement in grows:
                cursor.execute(statement)


def drop_triggers(database: BaseDatabaseWrapper) -> None:
    """Before the number's table goes."""
    _set_triggers(database, [])


def _set_triggers(database: BaseDatabaseWrapper, shown: list[str]) -> None:
    """Has exactly these tables' triggers in the database."""
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
        f"SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '{PREFIX}%'"
    ),
    "postgresql": (
        "SELECT tgname, tgrelid::regclass::text FROM pg_trigger "
        f"WHERE NOT tgisinternal AND tgname LIKE '{PREFIX}%'"
    ),
}


def _triggers(database: BaseDatabaseWrapper, table: str) -> Iterator[tuple[str, str]]:
    """Names and statements. The name has a hash of the statement: another one is made anew."""
    bodies = _of_postgresql(table) if database.vendor == "postgresql" else _of_sqlite(table)
    for verb, body in bodies.items():
        said = hashlib.sha256((verb + body + POSTGRESQL_FUNCTION).encode()).hexdigest()[:8]
        name = f"{PREFIX}{said}"
        yield name, body.format(name=name)


def _of_postgresql(table: str) -> dict[str, str]:
    grows = f"EXECUTE FUNCTION {PREFIX}grows()"
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
    body = "; ".join(SQLITE_GROWS)
    return {
        verb: f"CREATE TRIGGER {{name}} AFTER {verb} ON {table} BEGIN {body}; END"
        for verb in ("INSERT", "UPDATE", "DELETE")
    }
