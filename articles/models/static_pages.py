"""Static pages: about and privacy."""

from __future__ import annotations

import datetime as dt
import hashlib

from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from articles.fields import BodyField
from articles.site_version import bumps_site_version
from articles.text import sanitizer
from core import languages


class PageCode(models.TextChoices):
    """Which pages there are. The code is the page's path segment."""

    ABOUT = "about", _("About")
    PRIVACY = "privacy", _("Privacy")


class PageQuerySet(models.QuerySet["Page"]):
    """Adjectives filter, `with_*` fetches."""

    def with_titles(self) -> PageQuerySet:
        """Without the bodies, for links."""
        return self.defer("body", *(f"body_{code}" for code in languages.codes()))

    def naming(self, words: str) -> PageQuerySet:
        """Whose body contains these words, in any language."""
        found = models.Q()
        for code in languages.codes():
            found |= models.Q(**{f"body_{code}__contains": words})
        return self.filter(found)


@bumps_site_version
class Page(models.Model):
    """A static page. In each language it has title and body, or neither."""

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
        """Differs between languages in the first segment only."""
        return reverse("page", args=[language, self.code])

    def clean(self) -> None:
        """Refuses a title without a body and a body without a title."""
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
        """Languages with a text, in order."""
        return [code for code in languages.codes() if self.title_in(code)]

    title_in = languages.translated_field_getter("title")
    body_in = languages.translated_field_getter("body")

    def content_hash_in(self, language: str) -> str:
        """Of that language's title and body, to detect concurrent edits."""
        return content_hash(self.title_in(language), self.body_in(language))

    def changed_in(self, language: str) -> dt.datetime | None:
        """When that language's text was last changed."""
        changed: dt.datetime | None = getattr(self, f"changed_at_{language}")
        return changed


def content_hash(title: str, body: str) -> str:
    """SHA-256, independent of line breaks in the markup."""
    return hashlib.sha256(f"{title}\n{sanitizer.normalize_whitespace(body)}".encode()).hexdigest()
