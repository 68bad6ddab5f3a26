"""The site's version, which the page cache compares."""

from __future__ import annotations

from django.db import models

from articles import site_version


class SiteVersion(models.Model):
    """One row, written by triggers only: see articles.site_version."""

    number = models.BigIntegerField()

    class Meta:
        db_table = site_version.TABLE
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_site_version"),
        ]

    def __str__(self) -> str:
        return str(self.number)
