"""Reports guesses at a password: to the audit, and to the account's owner."""

from __future__ import annotations

import datetime as dt

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import ngettext

from staff.audit import record
from staff.login_throttle import GUESSING_THRESHOLD, pop_unreported
from staff.models import AuditAction
from staff.rate_limit_keys import username_hash


def audit_password_guessing(username: str, now: dt.datetime) -> None:
    """One audit entry, if the account exists."""
    user = User.objects.filter(username__iexact=username).first()
    if user is not None:
        record(AuditAction.GUESSED, user, by=None, now=now, detail=str(GUESSING_THRESHOLD))


def warn_account_owner(request: HttpRequest, user: User) -> None:
    """A message after the log-in, once."""
    guesses = pop_unreported(username_hash(user.get_username()))
    if not guesses:
        return
    text = ngettext(
        "Since your last log-in %(count)s wrong password was typed for your account in a browser "
        "that has never logged in to it. If that was not you, change your password.",
        "Since your last log-in %(count)s wrong passwords were typed for your account in browsers "
        "that have never logged in to it. If that was not you, change your password.",
        guesses,
    )
    messages.warning(request, text % {"count": guesses})
