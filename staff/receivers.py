"""Revokes sessions, in the admin and on the command line."""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.mfa import signals as mfa
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from staff.session_revocation import delete_expired, end_sessions


@receiver(post_save, sender=User)
def user_saved(instance: User, created: bool, **_kwargs: Any) -> None:
    """A disabled account loses all sessions, a new password all but the current one."""
    if created:
        return
    if not (instance.is_active and instance.is_staff):
        end_sessions(instance)
        _flush_own_session(instance)
    # Django keeps a new password here until after the save.
    elif getattr(instance, "_password", None) is not None:
        end_sessions(instance, but=_session_of(context.request))


@receiver(post_delete, sender=User)
def user_deleted(instance: User, **_kwargs: Any) -> None:
    """The sessions were deleted by CASCADE."""
    _flush_own_session(instance)


@receiver([mfa.authenticator_added, mfa.authenticator_removed, mfa.authenticator_reset])
def second_factor_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Other sessions were authenticated without the change."""
    end_sessions(user, but=request.session)


@receiver(user_logged_in)
def logged_in(**_kwargs: Any) -> None:
    """Deletes expired sessions; a log-in is rare."""
    delete_expired(timezone.now())


def _flush_own_session(user: User) -> None:
    """Flushes the current session, which would be saved again otherwise."""
    session = _session_of(context.request)
    if session is not None and session.get(SESSION_KEY) == str(user.pk):
        session.flush()


def _session_of(request: HttpRequest | None) -> SessionBase | None:
    return getattr(request, "session", None)
