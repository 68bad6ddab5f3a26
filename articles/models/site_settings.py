"""The site's name, tagline and digest title: one row."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.site_version import bumps_site_version


@bumps_site_version
class SiteSettings(models.Model):
    """One row; see `current`."""

    SINGLETON = 1
    name = models.CharField(_("name"), max_length=100, blank=True)
    tagline = models.CharField(_("tagline"), max_length=200, blank=True)
    digest_title = models.CharField(
        _("title of the digest"),
        max_length=100,
        blank=True,
        help_text=_("Stands before the week's range, as in “The situation: 13–19 January”."),
    )

    # The namespace of feed ids (RFC 4287, 4.2.6): they survive a change of host.
    identity = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = _("masthead")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_masthead"),
        ]

    def __str__(self) -> str:
        return self.name or str(_("masthead"))

    @property
    def namespace(self) -> uuid.UUID:
        """Of feed ids; a fixed one until the row is first saved."""
        return uuid.NAMESPACE_URL if self._state.adding else self.identity

    @classmethod
    def current(cls) -> SiteSettings:
        """The one row, or an unsaved empty one."""
        return cls.objects.filter(pk=cls.SINGLETON).first() or cls(pk=cls.SINGLETON)
