"""AUTHENTICATION_BACKENDS."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, User


class StaffBackend(ModelBackend):
    """Django's backend, for staff only.

    Checked at every request too, so that a disabled account is logged out at once.
    """

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        return super().user_can_authenticate(user) and bool(getattr(user, "is_staff", False))
