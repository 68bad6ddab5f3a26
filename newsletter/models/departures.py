"""Departures to be written to the departures log, and how far this database has read it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class DepartureKind(models.TextChoices):
    """What happened to a keyed hash: one character each, as in the log file."""

    UNSUBSCRIBED = "l", _("Left")
    BOUNCED = "b", _("Bounced")
    COMPLAINED = "c", _("Complained")
    FORGOTTEN = "f", _("Forgotten")
    RETURNED = "r", _("Came back")


class Departure(models.Model):
    """A line not in the log yet, written in the transaction that it records."""

    address_hash = models.BinaryField(_("keyed hash of the address"), max_length=32)
    kind = models.CharField(_("kind"), max_length=1, choices=DepartureKind)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name, verbose_name_plural = _("departure"), _("departures")
        ordering = ["pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}"


class DeparturesLogPosition(models.Model):
    """The last line of the departures log that this database has applied.

    A restored backup is behind the log.
    """

    journal = models.CharField(max_length=32)
    lines = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.journal}: {self.lines}"
