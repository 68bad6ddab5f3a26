"""Resets the second factor of a user who lost it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, CommandParser

from staff.second_factor import reset


class Command(BaseCommand):
    """The next log-in leads to the enrolment."""

    help = "Removes a member's second factor, recovery codes and sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        try:
            user = User.objects.get(username=username)
        except User.DoesNotExist:
            raise CommandError(f"There is no user {username!r}.") from None
        if reset(user, "reset_second_factor"):
            self.stdout.write(f"{username} enrols anew at the next log-in.")
        else:
            self.stdout.write(f"{username} had no second factor. All sessions are ended.")
