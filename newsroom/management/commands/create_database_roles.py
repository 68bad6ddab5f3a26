"""Creates the PostgreSQL roles of web and worker, or changes their passwords."""

from __future__ import annotations

import os
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, connection

from newsroom import database_roles

VARIABLES = {
    "WEB_DATABASE_PASSWORD": database_roles.WEB_ROLE,
    "WORKER_DATABASE_PASSWORD": database_roles.WORKER_ROLE,
}


class Command(BaseCommand):
    """Run as the owner of the database; `migrate` grants the rights."""

    help = "Creates the roles newsroom_web and newsroom_worker, or sets their passwords."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("Only PostgreSQL has roles. Set DATABASE_URL to its owner's.")
        missing = [name for name in VARIABLES if not os.environ.get(name)]
        if missing:
            raise CommandError(f"Set {' and '.join(missing)}.")
        passwords = {role: os.environ[name] for name, role in VARIABLES.items()}
        if len(set(passwords.values())) < len(passwords):
            raise CommandError("The two roles need two passwords.")
        try:
            database_roles.create_roles(connection, passwords)
        except DatabaseError as error:
            # Its message may quote the statement with the password.
            raise CommandError(
                f"PostgreSQL refuses ({type(error).__name__}). DATABASE_URL has to be of a role "
                "that may create roles; or create both with createuser."
            ) from None
        self.stdout.write("The roles are there. `manage.py migrate` gives them their rights.")
