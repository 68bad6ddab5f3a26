"""What ends sessions, wherever it happens, in the admin or on the command line."""

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

from staff.session_revocation import end_sessions, sweep


@receiver(post_save, sender=User)
def user_saved(instance: User, created: bool, **_kwargs: Any) -> None:
    """A disabled account has no session; a new password leaves the one it was typed in."""
    if created:
        return
    if not (instance.is_active and instance.is_staff):
        end_sessions(instance)
        _leave(instance)
    # Django keeps the typed password here until after the save, and only if it is a new one.
    elif getattr(instance, "_password", None) is not None:
        end_sessions(instance, but=_session_of(context.request))


@receiver(post_delete, sender=User)
def user_deleted(instance: User, **_kwargs: Any) -> None:
    """The database has deleted the sessions with the account."""
    _leave(instance)


@receiver([mfa.authenticator_added, mfa.authenticator_removed, mfa.authenticator_reset])
def second_factor_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Whoever was in by the old rules has to come in by the new ones."""
    end_sessions(user, but=request.session)


@receiver(user_logged_in)
def logged_in(**_kwargs: Any) -> None:
    """Somebody has to sweep, and a log-in is rare and writes anyway."""
    sweep(timezone.now())


def _leave(user: User) -> None:
    """Logs out whoever shuts their own account: else an ended session would be saved."""
    session = _session_of(context.request)
    if session is not None and session.get(SESSION_KEY) == str(user.pk):
        session.flush()


def _session_of(request: HttpRequest | None) -> SessionBase | None:
    return getattr(request, "session", None)
