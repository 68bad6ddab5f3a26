"""The --owner option of commands that create articles."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import CommandError, CommandParser


def add_owner_argument(parser: CommandParser) -> None:
    """Adds --owner."""
    parser.add_argument(
        "--owner", metavar="USER", help="who will own the articles; else the first superuser"
    )


def find_owner(username: str | None) -> Any:
    """The user of that name, or the first superuser. Raises CommandError."""
    wanted = {"username": username} if username else {"is_superuser": True}
    owner = get_user_model().objects.filter(**wanted).order_by("pk").first()
    if owner is None:
        raise CommandError(
            f"There is no user {username}."
            if username
            else "There is no superuser yet. Make one with `manage.py createsuperuser`."
        )
    return owner
