"""Telling that somebody guesses at a password: the audit, and the account's owner."""

from __future__ import annotations

import datetime as dt

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import ngettext

from staff.audit import record
from staff.login_throttle import ATTACKED_AFTER, pop_unreported
from staff.models import AuditAction
from staff.rate_limit_keys import name_hash


def write_down(username: str, now: dt.datetime) -> None:
    """One entry, where there is such an account: a name that was made up is nobody's business."""
    user = User.objects.filter(username__iexact=username).first()
    if user is not None:
        record(AuditAction.GUESSED, user, by=None, now=now, detail=str(ATTACKED_AFTER))


def warn_owner(request: HttpRequest, user: User) -> None:
    """After the log-in, once."""
    guesses = pop_unreported(name_hash(user.get_username()))
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
