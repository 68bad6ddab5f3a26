"""Bylines."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.site_version import bumps_site_version


@bumps_site_version
class Author(models.Model):
    """A byline, possibly a pseudonym; no user account."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("author"), _("authors")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code
