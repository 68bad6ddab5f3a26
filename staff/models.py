"""Rows of the doors: open sessions, and what the limits count."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class Session(AbstractBaseSession):
    """One browser that somebody is logged in with; `staff.sessions` writes and reads it.

    Its key is a keyed hash of what the browser's cookie says, and its data is sealed with what
    the cookie says, so a row lets nobody in. The user is on it so that it can be ended.
    """

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )


class CacheEntry(models.Model):
    """The table of Django's database cache, here so that `migrate` makes it.

    The limits on log-ins count in it where there is no Redis: all processes have to see the
    same numbers. Django's cache writes it by plain SQL; nothing of ours does.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache"
        default_permissions = ()
