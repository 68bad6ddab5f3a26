"""The subjects that the newsroom writes about."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.site_version import bumps_site_version


@bumps_site_version
class Topic(models.Model):
    """A standing subject, such as "security"."""

    code = models.SlugField(
        _("code"), unique=True, help_text=_("Stands in the addresses of pages; never changes.")
    )
    name = models.CharField(_("name"), max_length=100, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("topic"), _("topics")
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name or self.code
