"""Kinds of bounces, and incoming mail that could not be processed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class BounceKind(models.TextChoices):
    """What a bounce or a complaint says of a letter that a relay had accepted."""

    NONE = "", _("None")
    HARD = "hard", _("The mailbox does not exist")
    SOFT = "soft", _("Not this time: full, or away")
    POLICY = "policy", _("The letter or its sender is not wanted there")
    COMPLAINT = "complaint", _("The reader called it spam")


class QuarantineReason(models.TextChoices):
    """Why a mail was quarantined for a person to look at."""

    UNRECOGNISED = "unrecognised", _("It is no report that is known")
    NO_LETTER = "no letter", _("It names no letter of ours")
    CONTRADICTORY = "contradictory", _("It names the letters of several readers")
    BROKEN = "broken", _("It cannot be read")


class QuarantinedMail(models.Model):
    """A mail to the bounce address that changed nothing. Sealed for a worker."""

    sealed = models.BinaryField(_("sealed mail"))
    size = models.PositiveIntegerField(_("size in bytes"))
    reason = models.CharField(_("reason"), max_length=14, choices=QuarantineReason)
    arrived_at = models.DateTimeField(_("arrived"), db_index=True)

    class Meta:
        verbose_name, verbose_name_plural = _("mail set aside"), _("mails set aside")
        ordering = ["-arrived_at", "-pk"]
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return f"{self.pk}"
