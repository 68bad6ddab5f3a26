"""Who may be logged in at all (AUTHENTICATION_BACKENDS)."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, User


class StaffBackend(ModelBackend):
    """Django's, for staff only.

    It is asked at the log-in and again at every request, so whoever is disabled or is no
    longer staff is out at once. The log-in page does not tell them apart from a wrong password.
    """

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        return super().user_can_authenticate(user) and bool(getattr(user, "is_staff", False))
