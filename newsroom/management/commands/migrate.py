"""Django's migrate, one process at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from core.advisory_lock import advisory_lock
from newsroom import database_roles


class Command(migrate.Command):
    """A second process waits, and then has nothing to do."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        # Checks the settings before the database is used.
        if not options["skip_checks"]:
            self.check()
        connection = connections[options["database"]]
        with advisory_lock(connection, "migrate"):
            output = super().execute(*args, **options)
            if database_roles.roles_exist(connection):
                database_roles.grant_rights(connection)
            return output
