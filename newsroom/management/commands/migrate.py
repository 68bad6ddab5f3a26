"""Django's migrate, one process at a time."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from newsroom.locking import only_one


class Command(migrate.Command):
    """A second one waits, and then finds nothing to do."""

    def handle(self, *args: Any, **options: Any) -> None:
        with only_one(connections[options["database"]], "migrate"):
            super().handle(*args, **options)
