"""The second factor: who must have one, who has one, and how it is taken away."""

from __future__ import annotations

import logging

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from staff.session_revocation import end_sessions

log = logging.getLogger(__name__)

STRONG = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""What counts as a second factor. Recovery codes only stand in for one of these."""


def needs_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether a password alone does not do for this user.

    It is turned round on purpose: whoever may do more than write and look needs one, so a
    permission that comes later is covered before anybody thinks of it.
    """
    if not settings.REQUIRE_SECOND_FACTOR or not isinstance(user, User):
        return False
    permissions: set[str] = user.get_all_permissions()
    return user.is_superuser or not permissions <= settings.WITHOUT_SECOND_FACTOR


def has_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether an authenticator app or a security key is enrolled."""
    return factors_of(user).exists()


def factors_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Authenticator]:
    """The authenticator app and the security keys of a user."""
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(
        user_id=user.pk, type__in=STRONG
    )
    return factors


def with_second_factor(users: QuerySet[User]) -> QuerySet[User]:
    """Each with `is_enrolled`, for lists."""
    strong = Authenticator.objects.filter(user=OuterRef("pk"), type__in=STRONG)
    return users.annotate(is_enrolled=Exists(strong))


def may_remove(factor: Authenticator) -> bool:
    """Whether one goes: the last one stays as long as its user needs one."""
    if factor.type not in STRONG or not needs_second_factor(factor.user):
        return True
    return factors_of(factor.user).exclude(pk=factor.pk).exists()


@transaction.atomic
def take_away(user: User, by: str) -> int:
    """Removes all factors of somebody who lost them, with recovery codes and sessions.

    They enrol anew at their next log-in. `by` says who did it, for the log. Returns how many
    app and key enrolments there were.
    """
    enrolled = factors_of(user).count()
    Authenticator.objects.filter(user=user).delete()
    end_sessions(user)
    log.warning("The second factor of %s was taken away by %s.", user.get_username(), by)
    return enrolled
