"""One person asks whether another is on the list; a worker answers."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from newsletter.models.subscribers import Subscriber, Suppression


class Answer(models.TextChoices):
    """What a worker found."""

    WAITING = "", _("A worker is looking")
    KNOWN = "known", _("There is a row")
    SUPPRESSED = "suppressed", _("Not on the list, and not to be written to")
    UNKNOWN = "unknown", _("Not on the list")
    UNREADABLE = "unreadable", _("Sealed with a foreign key")


class Inquiry(models.Model):
    """Sealed for a worker; the address goes when the answer comes, the rest a day later."""

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(_("asked"), db_index=True)
    sealed_address = models.BinaryField(_("sealed address"))
    answer = models.CharField(_("answer"), max_length=10, choices=Answer, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    subscriber = models.ForeignKey(Subscriber, models.CASCADE, null=True, related_name="+")
    suppression = models.ForeignKey(Suppression, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("question about a person"), _("questions")
        ordering = ["-asked_at"]
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return f"{self.pk}"

    def settle(
        self,
        answer: Answer,
        now: dt.datetime,
        subscriber: Subscriber | None = None,
        suppression: Suppression | None = None,
    ) -> None:
        """Writes the answer down and forgets whom the question was about."""
        self.answer, self.answered_at = answer, now
        self.subscriber, self.suppression = subscriber, suppression
        self.sealed_address = b""
        self.save()
