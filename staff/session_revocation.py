"""Ends sessions before they expire."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from staff.models import Session
from staff.sessions import stored_session_key


def end_sessions(user: User, but: SessionBase | None = None) -> int:
    """Logs a user out of all browsers but one; returns the number of sessions."""
    sessions = Session.objects.filter(user=user)
    if but is not None and but.session_key:
        sessions = sessions.exclude(session_key=stored_session_key(but.session_key))
    ended, _rows = sessions.delete()
    return ended


def delete_expired(now: dt.datetime) -> int:
    """Deletes expired sessions; returns their number."""
    deleted, _rows = Session.objects.filter(expire_date__lt=now).delete()
    return deleted
