"""What the newsroom is called, what it writes about, and who signs."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.site_version import shown_on_pages


@shown_on_pages
class Masthead(models.Model):
    """The newsroom's name and tagline: one row."""

    SINGLETON = 1
    name = models.CharField(_("name"), max_length=100, blank=True)
    tagline = models.CharField(_("tagline"), max_length=200, blank=True)
    digest_title = models.CharField(
        _("title of the digest"),
        max_length=100,
        blank=True,
        help_text=_("Stands before the week's range, as in “The situation: 13–19 January”."),
    )

    # What the ids in feeds are made from: it moves with the database, whatever the host is called.
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
        """Of ids; a fixed one while no masthead is saved, so that they stay the same till then."""
        return uuid.NAMESPACE_URL if self._state.adding else self.identity

    @classmethod
    def current(cls) -> Masthead:
        """The one row, or an empty one on a new machine."""
        return cls.objects.filter(pk=cls.SINGLETON).first() or cls(pk=cls.SINGLETON)


@shown_on_pages
class Topic(models.Model):
    """One of the few standing subjects."""

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


@shown_on_pages
class Author(models.Model):
    """A byline, possibly a pseudonym; never the log-in."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("author"), _("authors")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code
