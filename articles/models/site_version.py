"""The row that says whether anything that public pages show has changed."""

from __future__ import annotations

from django.db import models

from articles import site_version


class SiteVersion(models.Model):
    """One row, written by triggers alone: see articles.site_version."""

    number = models.BigIntegerField()

    class Meta:
        db_table = site_version.TABLE
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_site_version"),
        ]

    def __str__(self) -> str:
        return str(self.number)
