"""The state of an article in one language."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.models.texts import ArticleText
from articles.site_version import bumps_site_version
from core import languages
from core.states import StatusModel


class Status(models.TextChoices):
    """draft → review → scheduled → published → withdrawn. Missing is the absence of a row."""

    DRAFT = "draft", _("Draft")
    REVIEW = "review", _("In review")
    SCHEDULED = "scheduled", _("Scheduled")
    PUBLISHED = "published", _("Published")
    WITHDRAWN = "withdrawn", _("Withdrawn")


PUBLIC = frozenset({Status.PUBLISHED})
UNPUBLISHED = frozenset({Status.DRAFT, Status.REVIEW, Status.SCHEDULED})
NOT_PUBLIC = UNPUBLISHED | {Status.WITHDRAWN}
PUBLIC_OR_SCHEDULED = PUBLIC | {Status.SCHEDULED}
"""Only who may publish changes such a text: publishing or scheduling it was their decision."""
MAX_NOTE_CHARS = 500


class CannotPublish(Exception):
    """Something is missing; `reasons` says what."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class ArticleLanguageQuerySet(models.QuerySet["ArticleLanguage"]):
    """Adjectives filter; "now" is an argument."""

    def public(self) -> ArticleLanguageQuerySet:
        return self.filter(status__in=PUBLIC)

    def once_public(self) -> ArticleLanguageQuerySet:
        """Published now or before."""
        return self.filter(published_at__isnull=False)

    def article_not_withdrawn(self) -> ArticleLanguageQuerySet:
        return self.filter(article__withdrawn_at__isnull=True)

    def in_review(self) -> ArticleLanguageQuerySet:
        return self.article_not_withdrawn().filter(status=Status.REVIEW)

    def due(self, now: dt.datetime) -> ArticleLanguageQuerySet:
        """Scheduled for this moment or earlier."""
        return self.filter(status=Status.SCHEDULED, scheduled_for__lte=now)

    def stale(self) -> ArticleLanguageQuerySet:
        """Translations whose source's fingerprint has changed since."""
        moved_on = ArticleLanguage.objects.filter(
            article=models.OuterRef("article"), language=models.OuterRef("source_language")
        ).exclude(fingerprint=models.OuterRef("source_fingerprint"))
        return self.exclude(source_language="").filter(models.Exists(moved_on))


@bumps_site_version
class ArticleLanguage(StatusModel):
    """One article in one language, the first one written included."""

    article = models.ForeignKey(
        "articles.Article", models.CASCADE, related_name="article_languages"
    )
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT)
    scheduled_for = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    scheduled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("scheduled by"),
        null=True,
        blank=True,
        related_name="+",
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    # When the public page last changed: published, corrected or withdrawn.
    changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    missed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When it should have been published, but was not fit for it."),
    )
    remark = models.CharField(
        _("remark"), max_length=300, blank=True, help_text=_("Why it was sent back.")
    )
    gone_note = models.CharField(
        _("note on the withdrawal"),
        max_length=MAX_NOTE_CHARS,
        blank=True,
        help_text=_("What readers are told at its address."),
    )
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
    transition_error = _("This language is “%(status)s”, so it cannot become “%(wanted)s”.")

    class Meta:
        verbose_name, verbose_name_plural = _("language of an article"), _("languages of articles")
        default_permissions = ()
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
        indexes = [
            models.Index(fields=["status", "scheduled_for"]),
            # A feed's order.
            models.Index(fields=["language", "status", "-changed_at", "-article"]),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} {self.language}: {self.get_status_display()}"

    # --- Predicates --------------------------------------------------------------------

    @property
    def is_public(self) -> bool:
        return self.status in PUBLIC

    @property
    def is_public_or_scheduled(self) -> bool:
        """Then only who may publish changes its text."""
        return self.status in PUBLIC_OR_SCHEDULED

    @property
    def was_public(self) -> bool:
        """Published now or before."""
        return self.published_at is not None

    def is_stale(self, source: ArticleLanguage | None) -> bool:
        """Whether its source's fingerprint has changed; `source` is that language's row."""
        if not self.source_language or source is None:
            return False
        return source.fingerprint != self.source_fingerprint

    def publish_errors(self, text: ArticleText) -> list[str]:
        """Why it cannot be published; empty if it can."""
        article, name = self.article, languages.native_name(self.language)
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

    # --- Transitions: each is idempotent -------------------------------------------------

    def submit_for_review(self) -> bool:
        """draft → review; False if it is in review. Raises InvalidTransition."""
        return self.transition_or_raise(Status.REVIEW, {Status.DRAFT, Status.WITHDRAWN}, remark="")

    def request_changes(self, remark: str = "") -> bool:
        """review or scheduled → draft; False for a draft. Raises InvalidTransition."""
        return self.transition_or_raise(
            Status.DRAFT,
            {Status.REVIEW, Status.SCHEDULED},
            remark=remark[:300],
            scheduled_for=None,
            scheduled_by=None,
        )

    def schedule(self, text: ArticleText, at: dt.datetime, by: Any) -> bool:
        """→ scheduled; False if it is scheduled for that time already.

        Raises CannotPublish, or InvalidTransition for a public language.
        """
        if self.is_public:
            raise self.invalid_transition(Status.SCHEDULED)
        if self.status == Status.SCHEDULED and self.scheduled_for == at:
            return False
        self._check_publishable(text)
        return self.transition(
            Status.SCHEDULED,
            NOT_PUBLIC,
            scheduled_for=at,
            scheduled_by=by,
            remark="",
            missed_at=None,
        )

    def mark_schedule_missed(self) -> None:
        """scheduled → review: it could not be published; `publish_errors` says why."""
        at = self.scheduled_for
        self.transition(Status.REVIEW, {Status.SCHEDULED}, missed_at=at, scheduled_for=None)

    def publish(self, text: ArticleText, now: dt.datetime) -> bool:
        """→ published; False if it was already.

        Keeps the date of the first publication. Raises CannotPublish.
        """
        if self.is_public:
            return False
        self._check_publishable(text)
        return self.transition(
            Status.PUBLISHED,
            NOT_PUBLIC,
            published_at=self.published_at or now,
            changed_at=now,
            scheduled_for=None,
            scheduled_by=None,
            missed_at=None,
            remark="",
            gone_note="",
        )

    def withdraw(self, now: dt.datetime) -> bool:
        """published → withdrawn; False if it was not public."""
        return self.transition(Status.WITHDRAWN, PUBLIC, changed_at=now)

    def mark_corrected(self, now: dt.datetime) -> None:
        """The public page has changed."""
        self.changed_at = now
        self.save(update_fields=["changed_at"])

    def set_withdrawal_note(self, note: str) -> bool:
        """The note that the 410 page shows; False if it says so already."""
        note = note.strip()[:MAX_NOTE_CHARS]
        if note == self.gone_note:
            return False
        self.gone_note = note
        self.save(update_fields=["gone_note"])
        return True

    def _check_publishable(self, text: ArticleText) -> None:
        reasons = self.publish_errors(text)
        if reasons:
            raise CannotPublish(reasons)

    # --- Its text ----------------------------------------------------------------------

    def record_text(self, text: ArticleText, revision: int) -> bool:
        """Stores a saved text's fingerprint; False if it has not changed."""
        before, self.fingerprint = self.fingerprint, text.fingerprint
        self.revision = revision
        self.save(update_fields=["fingerprint", "revision"])
        return before != self.fingerprint

    def set_source(self, source: str, fingerprint: str, translator: Any = None) -> None:
        """The text that this translation was made from; the translator only if given."""
        self.source_language, self.source_fingerprint = source, fingerprint
        self.translator = translator or self.translator
        self.save(update_fields=["source_language", "source_fingerprint", "translator"])


@bumps_site_version
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
