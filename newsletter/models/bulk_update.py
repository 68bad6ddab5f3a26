"""UPDATE … FROM (VALUES …): many rows, each with its own values, in one statement.

Django's bulk_update writes a CASE for each row instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models


def update_each(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    if_still: str = "",
) -> None:
    """Each of `rows` is a primary key, then the new values of `columns`.

    With `if_still` one more value follows: a row changes only while that column still has it.
    """
    if not rows:
        return
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    # Both databases name the columns of VALUES column1, column2 …
    sets = ", ".join(f"{quote(name)} = new.column{at}" for at, name in enumerate(columns, start=2))
    still = f" AND {table}.{quote(if_still)} = new.column{len(columns) + 2}" if if_still else ""
    one = f"({', '.join(['%s'] * len(rows[0]))})"
    with connection.cursor() as cursor:
        # Built only from names of tables and columns; values are parameters.
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM (VALUES {', '.join([one] * len(rows))}) AS new "  # noqa: S608
            f"WHERE {table}.id = new.column1{still}",
            [value for row in rows for value in row],
        )
