"""INSERT … SELECT, which Django's ORM lacks: no row passes through Python."""

from __future__ import annotations

from typing import Any

from django.db import connection, models


def insert_from(
    rows: models.QuerySet[Any], into: type[models.Model], columns: dict[str, Any]
) -> int:
    """Inserts one row for each of `rows`; returns how many.

    `columns` maps each column of the table to an expression. A row that violates a constraint
    is skipped.
    """
    select, parameters = rows.values_list(*columns.values()).query.sql_with_params()
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in columns)
    with connection.cursor() as cursor:
        # Built only from names of tables and columns; values are parameters.
        cursor.execute(
            f"INSERT INTO {quote(into._meta.db_table)} ({names}) {select} ON CONFLICT DO NOTHING",
            parameters,
        )
        return int(cursor.rowcount)
