"""The week's digest: an introduction and an ordered choice of articles."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from articles.fields import WeekField, week_in_range
from articles.models.articles import Article
from articles.models.topics import Topic
from articles.site_version import bumps_site_version
from core import languages
from core.states import StatusModel


class DigestStatus(models.TextChoices):
    """open → approved → open again when something in it changes before it is sent."""

    OPEN = "open", _("Open")
    APPROVED = "approved", _("Approved")


@bumps_site_version
class Digest(StatusModel):
    """One week's issue."""

    week = WeekField(
        _("week"), unique=True, help_text=_("Any day of it; the week is named by its Monday.")
    )
    status = models.CharField(
        _("status"), max_length=10, choices=DigestStatus, default=DigestStatus.OPEN, editable=False
    )
    introduction = models.TextField(
        _("introduction"), blank=True, help_text=_("Plain text; an empty line starts a paragraph.")
    )
    articles = models.ManyToManyField(Article, through="DigestEntry", related_name="digests")
    reopened_because = models.CharField(max_length=300, blank=True, editable=False)
    # With SECOND_APPROVER: the first approval, and a hash of the letters it was given for.
    first_approved_at = models.DateTimeField(null=True, blank=True, editable=False)
    first_approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    first_approved_of = models.CharField(max_length=64, blank=True, editable=False)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("approved by"),
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        verbose_name, verbose_name_plural = _("digest"), _("digests")
        ordering = ["-week"]
        permissions = [("approve_digest", _("Can approve and send"))]
        constraints = [week_in_range("a_digests_week_is_near")]

    def __str__(self) -> str:
        return str(self.week.label(languages.current()))

    def get_absolute_url(self) -> str:
        return reverse("week", args=[languages.current(), self.week])

    @property
    def is_approved(self) -> bool:
        return self.status == DigestStatus.APPROVED

    introduction_in = languages.translated_field_getter("introduction")

    def ordered_articles(self) -> list[Article]:
        """Its articles in order, without those withdrawn since."""
        entries = self.entries.select_related("article__topic").prefetch_related(
            "article__article_languages", "article__authors"
        )
        return [entry.article for entry in entries if entry.article.public_languages]

    def mark_approved(self, by: object, now: dt.datetime) -> None:
        """Records the approval."""
        self.status = DigestStatus.APPROVED
        self.approved_at, self.approved_by = now, by  # type: ignore[assignment]
        self.reopened_because = self.first_approved_of = ""
        self.first_approved_at = self.first_approved_by = None
        self.save()

    def mark_first_approved(self, by: object, now: dt.datetime, of: str) -> None:
        """Records the first of two approvals; `of` is the hash of the letters."""
        self.first_approved_at, self.first_approved_by = now, by  # type: ignore[assignment]
        self.first_approved_of = of
        self.save(update_fields=["first_approved_at", "first_approved_by", "first_approved_of"])

    def reopen(self, because: str = "") -> bool:
        """approved → open. False if it was open."""
        return self.transition(
            DigestStatus.OPEN,
            {DigestStatus.APPROVED},
            approved_at=None,
            approved_by=None,
            reopened_because=because[:300],
        )


@bumps_site_version
class DigestEntry(models.Model):
    """An article's place in a digest."""

    digest = models.ForeignKey(Digest, models.CASCADE, related_name="entries")
    article = models.ForeignKey(
        Article, models.CASCADE, verbose_name=_("article"), related_name="digest_entries"
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0, db_index=True)

    class Meta:
        verbose_name, verbose_name_plural = _("article"), _("articles")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "article"], name="an_article_once_in_a_digest"
            ),
        ]

    def __str__(self) -> str:
        return str(self.article)


class GapPolicy(models.TextChoices):
    """What an edition does where a topic has no published text in a language."""

    HOLD = "hold", _("Hold the digest")
    LEAVE_OUT = "leave out", _("Leave it out")
    SHOW_OTHER = "show other", _("Show it in another language")


class DigestGap(models.Model):
    """The policy for one topic in one language; without a row the edition's own applies."""

    digest = models.ForeignKey(Digest, models.CASCADE, related_name="gaps")
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="+")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    policy = models.CharField(_("policy"), max_length=10, choices=GapPolicy)

    class Meta:
        verbose_name, verbose_name_plural = _("gap"), _("gaps")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "topic", "language"], name="one_policy_per_gap"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic_id} {self.language}: {self.policy}"
