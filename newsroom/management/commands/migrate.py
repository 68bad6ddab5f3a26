"""Django's migrate, one process at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from core.advisory_lock import only_one
from newsroom import database_roles


class Command(migrate.Command):
    """A second one waits, and then finds nothing to do."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        # What is wrong with the settings is said before the database is asked for anything.
        if not options["skip_checks"]:
            self.check()
        connection = connections[options["database"]]
        with only_one(connection, "migrate"):
            said = super().execute(*args, **options)
            if database_roles.exist(connection):
                database_roles.grant(connection)
            return said
