"""The second factor: who needs one, who has one, and its reset."""

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

SECOND_FACTOR_TYPES = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes are only a substitute for one of these."""


def needs_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the user has any permission beyond PASSWORD_ONLY_PERMISSIONS.

    An allow-list, so that a permission that is added later requires a second factor.
    """
    if not settings.REQUIRE_SECOND_FACTOR or not isinstance(user, User):
        return False
    permissions: set[str] = user.get_all_permissions()
    return user.is_superuser or not permissions <= settings.PASSWORD_ONLY_PERMISSIONS


def has_second_factor(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether an authenticator app or a security key is enrolled."""
    return factors_of(user).exists()


def factors_of(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Authenticator]:
    """The user's authenticator app and security keys."""
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(
        user_id=user.pk, type__in=SECOND_FACTOR_TYPES
    )
    return factors


def with_second_factor(users: QuerySet[User]) -> QuerySet[User]:
    """Annotates `is_enrolled`."""
    strong = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTOR_TYPES)
    return users.annotate(is_enrolled=Exists(strong))


def may_remove(factor: Authenticator) -> bool:
    """False for the last one of a user who needs one."""
    if factor.type not in SECOND_FACTOR_TYPES or not needs_second_factor(factor.user):
        return True
    return factors_of(factor.user).exclude(pk=factor.pk).exists()


@transaction.atomic
def reset(user: User, by: str) -> int:
    """Removes a user's factors, recovery codes and sessions, for a new enrolment.

    `by` is for the log. Returns the number of apps and keys.
    """
    enrolled = factors_of(user).count()
    Authenticator.objects.filter(user=user).delete()
    end_sessions(user)
    log.warning("The second factor of %s was reset by %s.", user.get_username(), by)
    return enrolled
