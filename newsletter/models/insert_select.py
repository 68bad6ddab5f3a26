"""INSERT … SELECT, which Django's queries do not have: rows never pass through Python."""

from __future__ import annotations

from typing import Any

from django.db import connection, models


def insert_from(
    rows: models.QuerySet[Any], into: type[models.Model], columns: dict[str, Any]
) -> int:
    """Inserts one row for each of `rows`; returns how many.

    `columns` says by expressions what goes into which of the table's columns. A row that a
    constraint of the table's forbids is passed over.
    """
    select, parameters = rows.values_list(*columns.values()).query.sql_with_params()
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in columns)
    with connection.cursor() as cursor:
        # Only names of our own tables and columns are put together here.
        cursor.execute(
            f"INSERT INTO {quote(into._meta.db_table)} ({names}) {select} ON CONFLICT DO NOTHING",
            parameters,
        )
        return int(cursor.rowcount)
