"""How sessions end before their time."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from staff.models import Session
from staff.sessions import row_of


def end_sessions(user: User, but: SessionBase | None = None) -> int:
    """Logs a user out of all browsers, or of all but one; log-ins half done end too.

    Returns how many there were.
    """
    sessions = Session.objects.filter(user=user)
    if but is not None and but.session_key:
        sessions = sessions.exclude(session_key=row_of(but.session_key))
    ended, _rows = sessions.delete()
    return ended


def sweep(now: dt.datetime) -> int:
    """Deletes what has run out. Returns how many there were."""
    swept, _rows = Session.objects.filter(expire_date__lt=now).delete()
    return swept
