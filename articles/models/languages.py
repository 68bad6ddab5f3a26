"""The state of an article in one language."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.models.texts import ArticleText
from articles.site_version import shown_on_pages
from core import languages
from core.states import Stateful


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
ANSWERED_FOR = PUBLIC | {Status.SCHEDULED}
"""Somebody who may publish has answered for the text: nobody else changes it past them."""
LONGEST_NOTE = 500


class CannotPublish(Exception):
    """The language is not fit to be published; `reasons` says what is missing."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class ArticleLanguageQuerySet(models.QuerySet["ArticleLanguage"]):
    """Adjectives filter; "now" is an argument."""

    def public(self) -> ArticleLanguageQuerySet:
        return self.filter(status__in=PUBLIC)

    def once_public(self) -> ArticleLanguageQuerySet:
        """Now or before: readers know the address."""
        return self.filter(published_at__isnull=False)

    def of_living_articles(self) -> ArticleLanguageQuerySet:
        return self.filter(article__withdrawn_at__isnull=True)

    def in_review(self) -> ArticleLanguageQuerySet:
        return self.of_living_articles().filter(status=Status.REVIEW)

    def due(self, now: dt.datetime) -> ArticleLanguageQuerySet:
        """Scheduled, and the hour has come."""
        return self.filter(status=Status.SCHEDULED, scheduled_for__lte=now)

    def stale(self) -> ArticleLanguageQuerySet:
        """Translations whose source no longer says what they were made from."""
        moved_on = ArticleLanguage.objects.filter(
            article=models.OuterRef("article"), language=models.OuterRef("source_language")
        ).exclude(fingerprint=models.OuterRef("source_fingerprint"))
        return self.exclude(source_language="").filter(models.Exists(moved_on))


@shown_on_pages
class ArticleLanguage(Stateful):
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
    # When what readers find at the address last became another: published, corrected, withdrawn.
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
        max_length=LONGEST_NOTE,
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
    cannot_move = _("This language is “%(status)s”, so it cannot become “%(wanted)s”.")

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

    # --- What it is ------------------------------------------------------------------

    @property
    def is_public(self) -> bool:
        return self.status in PUBLIC

    @property
    def is_answered_for(self) -> bool:
        """Public, or to become so by itself: only who may publish changes its text."""
        return self.status in ANSWERED_FOR

    @property
    def was_public(self) -> bool:
        """Now or once: its address is known to readers."""
        return self.published_at is not None

    def is_stale(self, source: ArticleLanguage | None) -> bool:
        """Whether its source says something else by now; `source` is that language's row."""
        if not self.source_language or source is None:
            return False
        return source.fingerprint != self.source_fingerprint

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

    # --- Its states: each change is safe to repeat -------------------------------------

    def hand_in(self) -> bool:
        """draft → review; False if it is in review. Raises InvalidTransition."""
        return self.must_move(Status.REVIEW, {Status.DRAFT, Status.WITHDRAWN}, remark="")

    def send_back(self, remark: str = "") -> bool:
        """To its writer, also out of the schedule; False for a draft. Raises InvalidTransition."""
        return self.must_move(
            Status.DRAFT,
            {Status.REVIEW, Status.SCHEDULED},
            remark=remark[:300],
            scheduled_for=None,
            scheduled_by=None,
        )

    def schedule(self, text: ArticleText, at: dt.datetime, by: Any) -> bool:
        """Publishes itself at that time; False if that is so already.

        Raises CannotPublish for what would fail then, and InvalidTransition for what is public.
        """
        if self.is_public:
            raise self.cannot_become(Status.SCHEDULED)
        if self.status == Status.SCHEDULED and self.scheduled_for == at:
            return False
        self._must_be_fit(text)
        return self.move(
            Status.SCHEDULED,
            NOT_PUBLIC,
            scheduled_for=at,
            scheduled_by=by,
            remark="",
            missed_at=None,
        )

    def miss_schedule(self) -> None:
        """It could not be published at its time: a person has to look; `obstacles` says why."""
        at = self.scheduled_for
        self.move(Status.REVIEW, {Status.SCHEDULED}, missed_at=at, scheduled_for=None)

    def publish(self, text: ArticleText, now: dt.datetime) -> bool:
        """Makes the language public; False if it was already.

        A language that was public before keeps the date of its first publication.
        Raises CannotPublish, naming everything that is missing.
        """
        if self.is_public:
            return False
        self._must_be_fit(text)
        return self.move(
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
        """Takes one language back; False if it was not public."""
        return self.move(Status.WITHDRAWN, PUBLIC, changed_at=now)

    def note_correction(self, now: dt.datetime) -> None:
        """Readers find something else at the address from now on."""
        self.changed_at = now
        self.save(update_fields=["changed_at"])

    def tell_why(self, note: str) -> bool:
        """What readers are told where the text was; False if it says so already."""
        note = note.strip()[:LONGEST_NOTE]
        if note == self.gone_note:
            return False
        self.gone_note = note
        self.save(update_fields=["gone_note"])
        return True

    def _must_be_fit(self, text: ArticleText) -> None:
        reasons = self.obstacles(text)
        if reasons:
            raise CannotPublish(reasons)

    # --- Its text ----------------------------------------------------------------------

    def note_text(self, text: ArticleText, revision: int) -> bool:
        """Takes note of a saved text; False if it says the same as before."""
        before, self.fingerprint = self.fingerprint, text.fingerprint
        self.revision = revision
        self.save(update_fields=["fingerprint", "revision"])
        return before != self.fingerprint

    def rest_on(self, source: str, fingerprint: str, translator: Any = None) -> None:
        """Says which text of which language it was translated from, and by whom if anew."""
        self.source_language, self.source_fingerprint = source, fingerprint
        self.translator = translator or self.translator
        self.save(update_fields=["source_language", "source_fingerprint", "translator"])


@shown_on_pages
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
