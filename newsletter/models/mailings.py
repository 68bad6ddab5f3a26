"""A digest in one edition, frozen, and the state of its sending."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from articles.models import Article, Digest
from core import languages
from core.states import Stateful
from newsletter.mime import FrozenLetter
from newsletter.models.editions import Edition
from newsletter.models.subscribers import Subscriber
from newsletter.models.variants import VariantKind

GRACE = dt.timedelta(hours=6)
"""How late a mailing may still start by itself; after that a person decides."""

ALARM_AFTER = dt.timedelta(hours=1)
"""How long after its time a mailing that has not gone alarms the staff."""


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
HAS_BEGUN = frozenset({MailingStatus.SENDING, MailingStatus.SENT})
"""Who confirms now may get its letter: it goes, and nobody has stopped it."""
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
        """Scheduled, its hour has come and is not too long past."""
        return self.filter(status=MailingStatus.SCHEDULED, due_at__lte=now, due_at__gt=now - GRACE)

    def overdue(self, now: dt.datetime) -> MailingQuerySet:
        """An hour past their time and not sent, whatever keeps them."""
        waiting = NOT_BEGUN | UNDER_WAY
        return self.filter(status__in=waiting, due_at__lte=now - ALARM_AFTER)

    def too_late(self, now: dt.datetime) -> MailingQuerySet:
        """Scheduled, but its hour is so long past that a person has to decide."""
        return self.filter(status=MailingStatus.SCHEDULED, due_at__lte=now - GRACE)

    def welcoming(self, subscriber: Subscriber) -> MailingQuerySet:
        """Those whose letter waits for a reader who has just confirmed."""
        return self.filter(
            deliveries__subscriber=subscriber,
            deliveries__kind="latest",
            deliveries__status__in=["pending", "retry"],
        ).distinct()

    def carrying(self, article: Article, *codes: str) -> MailingQuerySet:
        """Their frozen letters show this article in one of these languages."""
        return self.filter(contents__article=article, contents__language__in=codes).distinct()


class Mailing(Stateful):
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
    cannot_move = _("This mailing is “%(status)s”, so it cannot become “%(wanted)s”.")

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
    def _must_stop(self, into: MailingStatus, out_of: Collection[str], **fields: object) -> bool:
        """As `must_move`, and waits for the rounds that lanes have begun to commit."""
        moved = self.must_move(into, out_of, **fields)
        self.wait_for_rounds()
        return moved

    def wait_for_rounds(self) -> None:
        """Until those that lanes have begun are committed; none begins before our own commit."""
        list(self.lanes.select_for_update().values_list("pk"))

    def schedule(self, now: dt.datetime) -> bool:
        """Lets it wait for its hour, or for a person if that is long past."""
        late = self.due_at <= now - GRACE
        into = MailingStatus.HELD if late else MailingStatus.SCHEDULED
        return self.must_move(into, {MailingStatus.APPROVED})

    def hold(self, reason: str = "") -> bool:
        """It missed its hour, or something is wrong with it: a person decides."""
        return self.must_move(
            MailingStatus.HELD, {MailingStatus.SCHEDULED}, pause_reason=reason[:300]
        )

    def begin(self, now: dt.datetime) -> bool:
        """Opens the sending; False if somebody else has."""
        return self.must_move(MailingStatus.SENDING, NOT_BEGUN, launched_at=now)

    def pause(self, reason: str = "") -> bool:
        """No lane hands over another letter once this has returned."""
        return self._must_stop(MailingStatus.PAUSED, {MailingStatus.SENDING}, pause_reason=reason)

    def resume(self) -> bool:
        return self.must_move(MailingStatus.SENDING, {MailingStatus.PAUSED}, pause_reason="")

    def send_on(self) -> bool:
        """Opens one that was sent: somebody wants letters of it to go after all."""
        return self.move(MailingStatus.SENDING, {MailingStatus.SENT}, ended_at=None)

    def mark_sent(self, now: dt.datetime) -> bool:
        """Nothing is left to send. False if it is not sending."""
        return self.move(MailingStatus.SENT, {MailingStatus.SENDING}, ended_at=now)

    def mark_cancelled(self, now: dt.datetime) -> bool:
        """Ends it for good; campaigns.lifecycle.cancel says what becomes of its letters."""
        return self._must_stop(MailingStatus.CANCELLED, NOT_BEGUN | UNDER_WAY, ended_at=now)


class MailingContent(models.Model):
    """Which article a frozen mailing shows, and in which language."""

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="contents")
    article = models.ForeignKey(Article, models.PROTECT, related_name="+")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    position = models.PositiveSmallIntegerField(_("position"))
    # Of the text as it was frozen; later readers do not get what has been corrected since.
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
        """No worker has looked at them yet."""
        return self.filter(signature=b"")

    def signed(self) -> VariantQuerySet:
        return self.exclude(signature=b"")


class Variant(models.Model):
    """The frozen bytes of a mailing, one row a kind and revision."""

    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="variants")
    kind = models.CharField(_("kind"), max_length=10, choices=VariantKind)
    revision = models.PositiveSmallIntegerField(_("revision"), default=1)
    subject = models.CharField(_("subject"), max_length=200)
    content = models.BinaryField(_("letter"))
    # [[place in the content, what is put in there for each subscriber]]
    slots = models.JSONField(default=list)
    # A worker's, over the letter; the process that approves holds no key to make one.
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
        """Takes the letter over; the caller saves."""
        self.subject = letter.subject[:200]
        self.content, self.slots = letter.content, letter.slots

    def signed_bytes(self) -> bytes:
        """The letter and whose it is, so that a signature holds for no other."""
        belongs_to = f"{self.mailing_id} {self.kind} {self.revision}\n"
        return belongs_to.encode() + self.letter.signed_bytes()
