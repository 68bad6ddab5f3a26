"""Pictures. Their files are named by key and width, see articles.images.renditions."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.images import renditions
from articles.images.renditions import ResponsiveImage as ShownPicture
from articles.site_version import bumps_site_version
from core import languages

FOCAL_POINT_STEPS = 4
"""Focal points are rounded to 0…4 each way: the pages' policy forbids inline styles."""


def new_key() -> str:
    """96 random bits: tells neither when nor by whom, and cannot be guessed."""
    return secrets.token_hex(12)


@bumps_site_version
class Picture(models.Model):
    """Uploaded once, used as covers and in bodies."""

    key = models.CharField(max_length=24, unique=True, default=new_key, editable=False)
    width = models.PositiveIntegerField(_("width"), editable=False)
    height = models.PositiveIntegerField(_("height"), editable=False)
    alt = models.CharField(
        _("description"),
        max_length=300,
        blank=True,
        help_text=_("What it shows, for whoever does not see it. Empty: it only decorates."),
    )
    caption = models.CharField(_("caption"), max_length=300, blank=True)
    credit = models.CharField(_("credit"), max_length=200, blank=True)
    focal_x = models.PositiveSmallIntegerField(
        _("focal point from the left, %"), default=50, validators=[MaxValueValidator(100)]
    )
    focal_y = models.PositiveSmallIntegerField(
        _("focal point from the top, %"), default=50, validators=[MaxValueValidator(100)]
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("uploaded by"),
        null=True,
        editable=False,
        related_name="+",
    )
    uploaded_at = models.DateTimeField(_("uploaded"), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("picture"), _("pictures")
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self) -> str:
        words = (self.alt_in(languages.current()), self.caption, self.credit)
        return next((text for text in words if text), f"{self.uploaded_at:%Y-%m-%d %H:%M}")

    alt_in = languages.translated_field_getter("alt")
    caption_in = languages.translated_field_getter("caption")

    @property
    def focus(self) -> str:
        """CSS classes of the focal point, see static/site.css."""
        across, down = (
            round(value * FOCAL_POINT_STEPS / 100) for value in (self.focal_x, self.focal_y)
        )
        return f"focus-x{across} focus-y{down}"

    @property
    def path(self) -> str:
        """Of the widest JPEG, which bodies link to."""
        return renditions.path(self.key, self.width)

    @property
    def thumbnail(self) -> str:
        return renditions.path(self.key, renditions.widths(self.width)[0])

    def shown_in(self, language: str, *, lazy: bool = True) -> ShownPicture:
        """As a page in that language shows it."""
        return ShownPicture(
            self.key, self.width, self.height, self.alt_in(language), self.focus, lazy=lazy
        )
