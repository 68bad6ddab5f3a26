"""The pages that stand for years: who the newsroom is, and what it keeps about its readers."""

from __future__ import annotations

import datetime as dt
import hashlib

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from articles.fields import BodyField
from articles.site_version import shown_on_pages
from articles.text import sanitizer
from core import languages


class PageCode(models.TextChoices):
    """Which pages there are. The code stands in a page's address."""

    ABOUT = "about", _("About")
    PRIVACY = "privacy", _("Privacy")


class PageQuerySet(models.QuerySet["Page"]):
    """Adjectives filter, `with_*` fetches."""

    def with_titles(self) -> PageQuerySet:
        """Without the bodies, for whoever only links to them."""
        return self.defer("body", *(f"body_{code}" for code in languages.codes()))

    def naming(self, words: str) -> PageQuerySet:
        """With these words in a body, in any language."""
        found = models.Q()
        for code in languages.codes():
            found |= models.Q(**{f"body_{code}__contains": words})
        return self.filter(found)


@shown_on_pages
class Page(models.Model):
    """A page in each language that it was written in: there it has title and body, or neither."""

    code = models.CharField(_("page"), max_length=20, choices=PageCode, unique=True)
    title = models.CharField(_("title"), max_length=200, blank=True)
    body = BodyField(_("body"), blank=True)
    changed_at = models.DateTimeField(_("last changed"), null=True, blank=True, editable=False)

    objects = PageQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("page"), _("pages")
        ordering = ["code"]
        default_permissions = ("add", "change", "view")

    def __str__(self) -> str:
        return str(self.get_code_display())

    def get_absolute_url(self) -> str:
        return self.path_in(languages.current())

    def path_in(self, language: str) -> str:
        """The same in each language but for the first segment."""
        return reverse("page", args=[language, self.code])

    def clean(self) -> None:
        """Refuses half a page: a title without a text, or a text without a title."""
        missing = {}
        for code in languages.codes():
            title, body = self.title_in(code).strip(), self.body_in(code)
            if bool(title) != bool(body):
                field = f"body_{code}" if title else f"title_{code}"
                missing[field] = _("A page has both title and text in a language, or neither.")
        if missing:
            raise ValidationError(missing)

    @property
    def written_in(self) -> list[str]:
        """In the order of the languages."""
        return [code for code in languages.codes() if self.title_in(code)]

    title_in = languages.said_in("title")
    body_in = languages.said_in("body")

    def mark_in(self, language: str) -> str:
        """Of that language's title and body, to see whether two of them are the same."""
        return mark_of(self.title_in(language), self.body_in(language))

    def changed_in(self, language: str) -> dt.datetime | None:
        """When that language's text was last changed."""
        changed: dt.datetime | None = getattr(self, f"changed_at_{language}")
        return changed


def mark_of(title: str, body: str) -> str:
    """A SHA-256, the same however an editor broke the lines."""
    return hashlib.sha256(f"{title}\n{sanitizer.squeezed(body)}".encode()).hexdigest()
