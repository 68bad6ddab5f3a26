"""Sessions, the cache table of the rate limits, roles and the audit."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core import languages
from staff.roles import ROLES


class Session(AbstractBaseSession):
    """A log-in; see `staff.sessions`.

    The key is a hash of the cookie's value, and the data is encrypted with it, so that a row is no
    session cookie. The user is stored so that sessions can be revoked.
    """

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )


class CacheEntry(models.Model):
    """The table of Django's database cache, as a model so that `migrate` creates it.

    The rate limits use it where there is no Redis. Only Django's cache backend writes to it.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "cache"
        default_permissions = ()


class Role(Group):
    """A group with a translated name; the project's roles are stored in English."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name, verbose_name_plural = _("group"), _("groups")

    def __str__(self) -> str:
        return role_label(self)


def role_label(group: Group) -> str:
    """The translated name of a role; the name of any other group."""
    return gettext(group.name) if group.name in ROLES else group.name


class AuditAction(models.TextChoices):
    """What the audit records: whatever changes what visitors see and subscribers get."""

    PUBLISHED = "published", _("Published")
    SCHEDULED = "scheduled", _("Scheduled")
    CORRECTED = "corrected", _("Corrected")
    WITHDREW = "withdrew", _("Withdrew")
    SHARED = "shared", _("Shared a preview")
    APPROVED = "approved", _("Approved")
    REOPENED = "reopened", _("Opened again")
    SENT = "sent", _("Began to send")
    SENT_AGAIN = "sent again", _("Sent to the uncertain again")
    PAUSED = "paused", _("Paused")
    RESUMED = "resumed", _("Resumed")
    REFROZE = "refroze", _("Froze anew")
    CANCELLED = "cancelled", _("Cancelled")
    ASKED = "asked", _("Asked about a person")
    LIFTED = "lifted", _("Lifted a suppression")
    REMOVED = "removed", _("Took a reader off the list")
    UPLOADED = "uploaded", _("Uploaded a list")
    CHECKED = "checked", _("Compared a list with ours")
    DISCARDED = "discarded", _("Threw an import away")
    APPLIED = "applied", _("Applied an import")
    UNDONE = "undone", _("Undid an import")
    EXPORTED = "exported", _("Exported the list")
    OPENED = "opened", _("Opened a mail set aside")
    FORGOT = "forgot", _("Forgot a reader")
    GUESSED = "guessed", _("Many wrong passwords")


class AuditEntryImmutable(Exception):
    """Audit entries are neither changed nor deleted."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Read-only; triggers in the database enforce it too."""

    def about(self, subject: models.Model) -> AuditQuerySet:
        """The entries about one row."""
        return self.filter(subject_type=subject._meta.label_lower, subject_id=subject.pk)

    def update(self, **_fields: Any) -> int:
        raise AuditEntryImmutable

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AuditEntryImmutable


class AuditEntry(models.Model):
    """Who did what to which row, and when; without IP address.

    Without foreign keys, since it outlives the user and the row.
    """

    at = models.DateTimeField(_("when"), db_index=True)
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(_("who"), max_length=150, blank=True)
    action = models.CharField(_("what"), max_length=12, choices=AuditAction)
    subject_type = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    subject = models.CharField(_("on what"), max_length=200)
    # The language of `subject`: that of whoever acted.
    subject_spoken = models.CharField(max_length=12, blank=True)
    language = models.CharField(_("language"), max_length=12, choices=languages.choices, blank=True)
    detail = models.CharField(_("note"), max_length=500, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("audit entry"), _("audit")
        ordering = ["-at", "-pk"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["subject_type", "subject_id"])]

    def __str__(self) -> str:
        return f"{self.get_action_display()}, {self.at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise AuditEntryImmutable
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AuditEntryImmutable
