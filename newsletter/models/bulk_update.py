"""UPDATE with values of each row's own in one statement, which Django does with a CASE for each."""

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
    """Each of `rows` is a key, then the new values of `columns`.

    With `if_still` one more value follows: what that column has to be still, or else the row stays
    as it is.
    """
    if not rows:
        return
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    # Both databases call the columns of VALUES so.
    sets = ", ".join(f"{quote(name)} = new.column{at}" for at, name in enumerate(columns, start=2))
    still = f" AND {table}.{quote(if_still)} = new.column{len(columns) + 2}" if if_still else ""
    one = f"({', '.join(['%s'] * len(rows[0]))})"
    with connection.cursor() as cursor:
        # Only names of our own tables and columns are put together here.
        cursor.execute(
            f"UPDATE {table} SET {sets} FROM (VALUES {', '.join([one] * len(rows))}) AS new "  # noqa: S608
            f"WHERE {table}.id = new.column1{still}",
            [value for row in rows for value in row],
        )
