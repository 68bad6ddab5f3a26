"""Departures that wait to be written into the journal, and how far the database has read it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DepartureKind(models.TextChoices):
    """What the journal tells about a keyed hash. One letter each, as it stands in the file."""

    LEFT = "l", _("Left")
    BOUNCED = "b", _("Bounced")
    COMPLAINED = "c", _("Complained")
    FORGOTTEN = "f", _("Forgotten")
    RETURNED = "r", _("Came back")


class Departure(models.Model):
    """One line that is not in the journal yet; written in the transaction that it tells of."""

    address_hash = models.BinaryField(_("keyed hash of the address"), max_length=32)
    kind = models.CharField(_("kind"), max_length=1, choices=DepartureKind)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name, verbose_name_plural = _("departure"), _("departures")
        ordering = ["pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}"


class JournalMark(models.Model):
    """Up to which line this database knows the journal. A restored backup knows less of it."""

    journal = models.CharField(max_length=32)
    lines = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.journal}: {self.lines}"
