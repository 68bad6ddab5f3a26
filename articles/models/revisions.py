"""Revisions, autosaved drafts and preview links."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.models.articles import Article
from articles.models.texts import ArticleText
from core import languages


class RevisionQuerySet(models.QuerySet["Revision"]):
    """Adjectives filter."""

    def of(self, article: Article, language: str) -> RevisionQuerySet:
        """One language's, newest first."""
        return self.filter(article=article, language=language)

    def newest(self) -> RevisionQuerySet:
        """The last one of each article and language."""
        same = Revision.objects.filter(
            article=models.OuterRef("article"), language=models.OuterRef("language")
        )
        return self.filter(number=models.Subquery(same.values("number")[:1]))


class Revision(models.Model):
    """One language's text as it was once saved. An emptied text is a revision too."""

    article = models.ForeignKey("articles.Article", models.CASCADE, related_name="revisions")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    number = models.PositiveIntegerField(_("revision"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    lead = models.TextField(_("lead"), blank=True)
    body = models.TextField(_("body"), blank=True)
    fingerprint = models.CharField(_("fingerprint"), max_length=80)
    saved_at = models.DateTimeField(_("saved"))
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("saved by"),
        null=True,
        related_name="+",
    )
    restored_from = models.PositiveIntegerField(_("restored from"), null=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("revision"), _("revisions")
        ordering = ["-number"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["article", "language", "number"], name="one_revision_of_each_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} {self.language}: {self.number}"

    @property
    def text(self) -> ArticleText:
        return ArticleText(self.language, self.title, self.lead, self.body)


class DraftQuerySet(models.QuerySet["Draft"]):
    """Adjectives filter."""

    def unsubmitted(self) -> DraftQuerySet:
        return self.filter(handed_in_at__isnull=True)

    def submitted(self) -> DraftQuerySet:
        """Changes to a public text that wait for review."""
        return self.filter(handed_in_at__isnull=False)

    def of(self, owner: Any, article_id: int | None) -> DraftQuerySet:
        """Of an article; None is a new article that is not saved yet."""
        of_owner = self.filter(owner=owner)
        if article_id is None:
            return of_owner.filter(article__isnull=True)
        return of_owner.filter(article_id=article_id)

    def with_article(self) -> DraftQuerySet:
        """Whose article exists; fetched with them."""
        there = models.Exists(Article.objects.filter(pk=models.OuterRef("article_id")))
        return self.filter(there).select_related("article", "owner")

    def without_article(self) -> DraftQuerySet:
        """Whose article was deleted meanwhile."""
        there = models.Exists(Article.objects.filter(pk=models.OuterRef("article_id")))
        return self.filter(article_id__isnull=False).exclude(there)


class Draft(models.Model):
    """An autosave. It reaches the article's columns only through Save."""

    # Outlives its article, so that deleting one loses nobody's text.
    article = models.ForeignKey(
        "articles.Article",
        models.DO_NOTHING,
        related_name="drafts",
        null=True,
        blank=True,
        db_constraint=False,
    )
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts")
    base_revision = models.PositiveIntegerField(_("base revision"), default=0)
    title = models.TextField(_("title"), blank=True)
    lead = models.TextField(_("lead"), blank=True)
    body = models.TextField(_("body"), blank=True)
    saved_at = models.DateTimeField(_("saved"))
    handed_in_at = models.DateTimeField(_("handed in"), null=True, blank=True)

    objects = DraftQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("draft"), _("drafts")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["article", "language", "owner"],
                name="one_draft_per_article_language_and_owner",
            ),
            models.UniqueConstraint(
                fields=["language", "owner"],
                condition=models.Q(article__isnull=True),
                name="one_draft_of_a_new_article_per_language_and_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def text(self) -> ArticleText:
        return ArticleText(self.language, self.title, self.lead, self.body)

    def submit_for_review(self, now: dt.datetime) -> None:
        """Asks for a review."""
        self.handed_in_at = now
        self.save(update_fields=["handed_in_at"])


class PreviewLinkQuerySet(models.QuerySet["PreviewLink"]):
    """Adjectives filter; "now" is an argument."""

    def open(self, now: dt.datetime) -> PreviewLinkQuerySet:
        """Neither revoked nor expired."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=now)


class PreviewLink(models.Model):
    """Opens one unpublished article to somebody without an account.

    The token is derived from this row's id, see keys.tokens; it is not stored.
    """

    article = models.ForeignKey("articles.Article", models.CASCADE, related_name="preview_links")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("made by"),
        null=True,
        related_name="+",
    )
    made_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("open until"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = PreviewLinkQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("preview link"), _("preview links")
        ordering = ["-made_at"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.article_id}: {self.pk}"

    def is_open(self, now: dt.datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > now

    def revoke(self, now: dt.datetime) -> None:
        """Closes it; keeps the first time."""
        self.revoked_at = self.revoked_at or now
        self.save(update_fields=["revoked_at"])
