"""The database refuses weeks outside core.weeks' bounds, which pages could not show."""

from __future__ import annotations

import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import migrations, models

FIRST, LAST = datetime.date(1990, 1, 1), datetime.date(2099, 12, 28)
TABLES = ("articles_article", "articles_digest", "articles_verdictchange")


def refuse_what_is_too_far(apps: Any, schema_editor: Any) -> None:
    """Nobody but the newsroom knows which week was meant. Raises ImproperlyConfigured."""
    with schema_editor.connection.cursor() as cursor:
        found = [line for table in TABLES for line in _too_far(cursor, table)]
    if found:
        raise ImproperlyConfigured(
            f"Weeks are {FIRST} to {LAST}, and these rows have others. Give each its Monday, such "
            "as '2026-11-16', and migrate again. Nothing was changed.\n" + "\n".join(found)
        )


def _too_far(cursor: Any, table: str) -> list[str]:
    # As text: Python has no date for all that a database has.
    cursor.execute(
        f"SELECT id, CAST(week AS varchar(40)) FROM {table} WHERE week < %s OR week > %s ORDER BY id",
        [FIRST.isoformat(), LAST.isoformat()],
    )
    return [
        f"UPDATE {table} SET week = '…' WHERE id = {pk};  -- is {week}" for pk, week in cursor
    ]


def constraint(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=models.Q(("week__gte", FIRST), ("week__lte", LAST)), name=name
    )


class Migration(migrations.Migration):

    dependencies = [("articles", "0012_page_changes")]

    operations = [
        migrations.RunPython(refuse_what_is_too_far, migrations.RunPython.noop),
        migrations.AddConstraint("article", constraint("an_articles_week_is_near")),
        migrations.AddConstraint("digest", constraint("a_digests_week_is_near")),
        migrations.AddConstraint("verdictchange", constraint("a_verdicts_week_is_near")),
    ]
