"""Writes the audit, in the transaction of the recorded action."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import models

from core import languages
from staff.models import AuditAction, AuditEntry


def record(
    action: AuditAction,
    subject: models.Model,
    *,
    by: Any,
    now: dt.datetime,
    language: str = "",
    detail: str = "",
) -> AuditEntry:
    """One entry. `by` is a user, or None for a command or a scheduled action."""
    return AuditEntry.objects.create(
        at=now,
        actor_id=getattr(by, "pk", None),
        actor=by.get_username() if by is not None else "",
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        subject=str(subject)[:200],
        subject_spoken=languages.current(),
        language=language,
        detail=detail[:500],
    )
