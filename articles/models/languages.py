"""The state of an article in one language."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from newsroom import languages

if TYPE_CHECKING:
    from articles.models.articles import ArticleText


class Status(models.TextChoices):
    """draft → review → scheduled → published → withdrawn. Missing is the absence of a row."""

    DRAFT = "draft", _("Draft")
    REVIEW = "review", _("In review")
    SCHEDULED = "scheduled", _("Scheduled")
    PUBLISHED = "published", _("Published")
    WITHDRAWN = "withdrawn", _("Withdrawn")


PUBLIC = frozenset({Status.PUBLISHED})
UNPUBLISHED = frozenset({Status.DRAFT, Status.REVIEW, Status.SCHEDULED})


class CannotPublish(Exception):
    """The language is not fit to be published; `reasons` says what is missing."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class ArticleLanguageQuerySet(models.QuerySet["ArticleLanguage"]):
    """Adjectives filter."""

    def public(self) -> ArticleLanguageQuerySet:
        return self.filter(status__in=PUBLIC)


class ArticleLanguage(models.Model):
    """One article in one language, the first one written included."""

    article = models.ForeignKey(
        "articles.Article", models.CASCADE, related_name="article_languages"
    )
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    fingerprint = models.CharField(_("fingerprint"), max_length=80)
    source_language = models.CharField(
        _("translated from"), max_length=12, choices=languages.choices, blank=True
    )
    source_fingerprint = models.CharField(max_length=80, blank=True)
    translator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("translator"),
        null=True,
        blank=True,
        related_name="translations",
    )

    objects = ArticleLanguageQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("language of an article"), _("languages of articles")
        constraints = [
            models.UniqueConstraint(
                fields=["article", "language"], name="one_state_per_article_and_language"
            ),
            models.CheckConstraint(
                condition=~models.Q(status="published") | models.Q(published_at__isnull=False),
                name="published_has_a_date",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="scheduled") | models.Q(scheduled_for__isnull=False),
                name="scheduled_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} {self.language}: {self.get_status_display()}"

    @property
    def is_public(self) -> bool:
        return self.status in PUBLIC

    def publish(self, text: ArticleText, now: dt.datetime) -> bool:
        """Makes the language public; False if it was already.

        A language that was public before keeps the date of its first publication.
        Raises CannotPublish, naming everything that is missing.
        """
        if self.is_public:
            return False
        reasons = self.obstacles(text)
        if reasons:
            raise CannotPublish(reasons)
        self.status = Status.PUBLISHED
        self.published_at = self.published_at or now
        self.scheduled_for = None
        self.save(update_fields=["status", "published_at", "scheduled_for"])
        return True

    def obstacles(self, text: ArticleText) -> list[str]:
        """What stands in the way of publishing."""
        article, name = self.article, languages.own_name(self.language)
        reasons = []
        if not text.title:
            reasons.append(__("The title in %(language)s is missing.") % {"language": name})
        if not text.body:
            reasons.append(__("The body in %(language)s is missing.") % {"language": name})
        if article.topic_id is None:
            reasons.append(__("The article has no topic. Choose one."))
        if article.week is None:
            reasons.append(__("The article has no week. Choose one."))
        if article.withdrawn_at is not None:
            reasons.append(__("The whole article was withdrawn."))
        return reasons

    def withdraw(self) -> bool:
        """Takes one language back; False if it was not public."""
        if not self.is_public:
            return False
        self.status = Status.WITHDRAWN
        self.save(update_fields=["status"])
        return True

    def note_text(self, text: ArticleText) -> bool:
        """Takes note of a saved text; False if it says the same as before."""
        fingerprint = text.fingerprint
        if fingerprint == self.fingerprint:
            return False
        self.fingerprint = fingerprint
        self.revision += 1
        self.save()
        return True


class Correction(models.Model):
    """A dated public note on what was corrected, in one language."""

    article = models.ForeignKey("articles.Article", models.CASCADE, related_name="corrections")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    corrected_at = models.DateTimeField(_("corrected"))
    note = models.CharField(_("note"), max_length=500)

    class Meta:
        verbose_name, verbose_name_plural = _("correction"), _("corrections")
        ordering = ["corrected_at"]

    def __str__(self) -> str:
        return self.note


class Draft(models.Model):
    """What somebody is typing. It reaches the article's columns only through Save."""

    article = models.ForeignKey(
        "articles.Article", models.CASCADE, related_name="drafts", null=True, blank=True
    )
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="drafts")
    base_revision = models.PositiveIntegerField(_("base revision"), default=0)
    title = models.CharField(_("title"), max_length=200, blank=True)
    lead = models.TextField(_("lead"), blank=True)
    body = models.TextField(_("body"), blank=True)
    saved_at = models.DateTimeField(_("saved"))

    class Meta:
        verbose_name, verbose_name_plural = _("draft"), _("drafts")
        constraints = [
            models.UniqueConstraint(
                fields=["article", "language", "owner"],
                name="one_draft_per_article_language_and_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.title
