"""Mailings: one digest in one edition, approved and frozen, with their variants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from articles.models import Article, Digest
from core import languages
from core.states import StatusModel
from newsletter.mime import FrozenLetter
from newsletter.models.editions import Edition
from newsletter.models.subscribers import Subscriber
from newsletter.models.variants import VariantKind

MAX_START_DELAY = dt.timedelta(hours=6)
"""How long after its send time a mailing still starts automatically; later it is held."""

OVERDUE_AFTER = dt.timedelta(hours=1)
"""How long after its send time an unsent mailing raises an alert."""


class MailingStatus(models.TextChoices):
    """approved → scheduled → sending ⇄ paused → sent | cancelled; held for a person."""

    APPROVED = "approved", _("Approved")
    SCHEDULED = "scheduled", _("Scheduled")
    HELD = "held", _("Held for a person")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    SENT = "sent", _("Sent")
    CANCELLED = "cancelled", _("Cancelled")


NOT_BEGUN = frozenset({MailingStatus.APPROVED, MailingStatus.SCHEDULED, MailingStatus.HELD})
UNDER_WAY = frozenset({MailingStatus.SENDING, MailingStatus.PAUSED})
DELIVERABLE = frozenset({MailingStatus.SENDING, MailingStatus.SENT})
"""Its letters may leave: to the audience, or to subscribers who confirm later."""
ENDED = frozenset({MailingStatus.SENT, MailingStatus.CANCELLED})


class MailingQuerySet(models.QuerySet["Mailing"]):
    """Adjectives filter; "now" is an argument."""

    def not_cancelled(self) -> MailingQuerySet:
        return self.exclude(status=MailingStatus.CANCELLED)

    def not_begun(self) -> MailingQuerySet:
        return self.filter(status__in=NOT_BEGUN)

    def sending(self) -> MailingQuerySet:
        return self.filter(status=MailingStatus.SENDING)

    def due(self, now: dt.datetime) -> MailingQuerySet:
        """Scheduled, and its send time has come less than MAX_START_DELAY ago."""
        return self.filter(
            status=MailingStatus.SCHEDULED, due_at__lte=now, due_at__gt=now - MAX_START_DELAY
        )

    def overdue(self, now: dt.datetime) -> MailingQuerySet:
        """Not sent OVERDUE_AFTER their send time, for whatever reason."""
        waiting = NOT_BEGUN | UNDER_WAY
        return self.filter(status__in=waiting, due_at__lte=now - OVERDUE_AFTER)

    def too_late(self, now: dt.datetime) -> MailingQuerySet:
        """Scheduled, but MAX_START_DELAY past its send time: a person has to decide."""
        return self.filter(status=MailingStatus.SCHEDULED, due_at__lte=now - MAX_START_DELAY)

    def with_late_delivery_to(self, subscriber: Subscriber) -> MailingQuerySet:
        """Those with a delivery that waits for a subscriber who has just confirmed."""
        return self.filter(
            deliveries__subscriber=subscriber,
            deliveries__kind="latest",
            deliveries__status__in=["pending", "retry"],
        ).distinct()

    def carrying(self, article: Article, *codes: str) -> MailingQuerySet:
        """Those whose letters contain this article in one of these languages."""
        return self.filter(contents__article=article, contents__language__in=codes).distinct()


class Mailing(StatusModel):
    """One digest in one edition."""

    digest = models.ForeignKey(
        Digest, models.PROTECT, verbose_name=_("digest"), related_name="mailings"
    )
    edition = models.ForeignKey(
        Edition, models.PROTECT, verbose_name=_("edition"), related_name="mailings"
    )
    status = models.CharField(
        _("status"), max_length=10, choices=MailingStatus, default=MailingStatus.APPROVED
    )
    revision = models.PositiveSmallIntegerField(_("revision"), default=1)
    due_at = models.DateTimeField(_("due"))
    approved_at = models.DateTimeField(_("approved"))
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("approved by"),
        null=True,
        related_name="+",
    )
    launched_at = models.DateTimeField(_("launched"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    pause_reason = models.CharField(_("reason of the pause"), max_length=300, blank=True)

    objects = MailingQuerySet.as_manager()
    transition_error = _("This mailing is “%(status)s”, so it cannot become “%(wanted)s”.")

    class Meta:
        verbose_name, verbose_name_plural = _("mailing"), _("mailings")
        ordering = ["-approved_at", "pk"]
        permissions = [("send_mailing", _("Can send, pause and cancel"))]
        constraints = [
            models.UniqueConstraint(
                fields=["digest", "edition"],
                condition=~models.Q(status="cancelled"),
                name="one_mailing_per_digest_and_edition",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["sending", "paused", "sent"])
                | models.Q(launched_at__isnull=False),
                name="what_was_sent_was_launched",
            ),
        ]
        indexes = [models.Index(fields=["status", "due_at"])]

    def __str__(self) -> str:
        return f"{self.digest.week.label(languages.current())}, {self.edition}"

    @transaction.atomic
    def _must_stop(
        self, into: MailingStatus, from_statuses: Collection[str], **fields: object
    ) -> bool:
        """As `transition_or_raise`, and waits for batches that lanes are committing."""
        moved = self.transition_or_raise(into, from_statuses, **fields)
        self.wait_for_batches()
        return moved

    def wait_for_batches(self) -> None:
        """Locks the lanes: their open batches are committed, and none begins before this commit."""
        list(self.lanes.select_for_update().values_list("pk"))

    def schedule(self, now: dt.datetime) -> bool:
        """Waits for the send time; held if that is MAX_START_DELAY past."""
        late = self.due_at <= now - MAX_START_DELAY
        into = MailingStatus.HELD if late else MailingStatus.SCHEDULED
        return self.transition_or_raise(into, {MailingStatus.APPROVED})

    def hold(self, reason: str = "") -> bool:
        """A person has to decide: it missed its send time, or its letter is not as approved."""
        return self.transition_or_raise(
            MailingStatus.HELD, {MailingStatus.SCHEDULED}, pause_reason=reason[:300]
        )

    def begin(self, now: dt.datetime) -> bool:
        """Starts sending; False if it had started already."""
        return self.transition_or_raise(MailingStatus.SENDING, NOT_BEGUN, launched_at=now)

    def pause(self, reason: str = "") -> bool:
        """No lane hands over another letter once this has returned."""
        return self._must_stop(MailingStatus.PAUSED, {MailingStatus.SENDING}, pause_reason=reason)

    def resume(self) -> bool:
        return self.transition_or_raise(
            MailingStatus.SENDING, {MailingStatus.PAUSED}, pause_reason=""
        )

    def reopen_sent(self) -> bool:
        """sent → sending: some of its letters are to be sent again."""
        return self.transition(MailingStatus.SENDING, {MailingStatus.SENT}, ended_at=None)

    def mark_sent(self, now: dt.datetime) -> bool:
        """sending → sent; False if it is not sending."""
        return self.transition(MailingStatus.SENT, {MailingStatus.SENDING}, ended_at=now)

    def mark_cancelled(self, now: dt.datetime) -> bool:
        """Ends it for good. campaigns.lifecycle.cancel excludes the unsent letters."""
        return self._must_stop(MailingStatus.CANCELLED, NOT_BEGUN | UNDER_WAY, ended_at=now)


class MailingContent(models.Model):
    """An article in a frozen mailing, and its language."""

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="contents")
    article = models.ForeignKey(Article, models.PROTECT, related_name="+")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    position = models.PositiveSmallIntegerField(_("position"))
    # Of the frozen text: late subscribers do not get a letter that was corrected since.
    fingerprint = models.CharField(_("fingerprint"), max_length=80, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("article in a letter"), _("articles in letters")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["mailing", "article"], name="an_article_once_in_a_mailing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article_id} {self.language}"


class VariantQuerySet(models.QuerySet["Variant"]):
    """Adjectives filter."""

    def unsigned(self) -> VariantQuerySet:
        """No worker has verified them yet."""
        return self.filter(signature=b"")

    def signed(self) -> VariantQuerySet:
        return self.exclude(signature=b"")


class Variant(models.Model):
    """The frozen bytes of a mailing, one row per kind and revision."""

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="variants")
    kind = models.CharField(_("kind"), max_length=10, choices=VariantKind)
    revision = models.PositiveSmallIntegerField(_("revision"), default=1)
    subject = models.CharField(_("subject"), max_length=200)
    content = models.BinaryField(_("letter"))
    # [[offset in the content, which of a subscriber's values is inserted there]]
    slots = models.JSONField(default=list)
    # A worker's. The web process, which approves, has no key to make one.
    signature = models.BinaryField(default=b"")

    objects = VariantQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("variant"), _("variants")
        constraints = [
            models.UniqueConstraint(
                fields=["mailing", "kind", "revision"], name="one_variant_per_kind_and_revision"
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def letter(self) -> FrozenLetter:
        slots = tuple((place, slot) for place, slot in self.slots)
        return FrozenLetter(self.subject, bytes(self.content), slots)

    def freeze(self, letter: FrozenLetter) -> None:
        """Copies the letter into this row; the caller saves."""
        self.subject = letter.subject[:200]
        self.content, self.slots = letter.content, letter.slots

    def signed_bytes(self) -> bytes:
        """The letter with its mailing, kind and revision: the signature is valid for no other."""
        belongs_to = f"{self.mailing_id} {self.kind} {self.revision}\n"
        return belongs_to.encode() + self.letter.signed_bytes()
