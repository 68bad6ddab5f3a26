"""One person asks whether another is on the list; a worker answers."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from newsletter.models.editions import Edition
from newsletter.models.subscribers import Subscriber, SubscriberStatus, Suppression


class Answer(models.TextChoices):
    """What a worker found, or did about whom it had found."""

    WAITING = "", _("A worker is looking")
    KNOWN = "known", _("There is a row")
    SUPPRESSED = "suppressed", _("Not on the list, and not to be written to")
    UNKNOWN = "unknown", _("Not on the list")
    UNREADABLE = "unreadable", _("It cannot be opened any more. Ask again.")
    REFUSED = "refused", _("Not looked up: today’s questions about the list are used up")
    TAKEN_OFF = "taken off", _("Taken off the list. The address is erased.")
    FORGOTTEN = "forgotten", _("Nothing about this person is left on the list.")
    LIFTED = "lifted", _("They can sign up again, and will be asked to confirm.")


class Wish(models.TextChoices):
    """What a worker is to do about whom it has found."""

    NONE = "", ""
    TAKE_OFF = "take-off", _("Take off the list")
    FORGET = "forget", _("Forget this person wholly")
    LIFT = "lift", _("Let them sign up again")


class InquiryQuerySet(models.QuerySet["Inquiry"]):
    """Adjectives filter."""

    def to_work_on(self) -> InquiryQuerySet:
        """Neither answered yet, or answered and wished for more."""
        return self.filter(~models.Q(wish=Wish.NONE) | models.Q(answer=Answer.WAITING))


class Inquiry(models.Model):
    """Sealed for a worker; the address goes when the answer comes, the rest a day later.

    The answer names no row of the list: which one it is about is sealed for a worker again.
    """

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(_("asked"), db_index=True)
    sealed_address = models.BinaryField(_("sealed address"))
    answer = models.CharField(_("answer"), max_length=10, choices=Answer, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=SubscriberStatus, blank=True)
    edition = models.ForeignKey(
        Edition, models.SET_NULL, verbose_name=_("edition"), null=True, related_name="+"
    )
    suppressed_for = models.CharField(
        _("reason"), max_length=10, choices=SubscriberStatus, blank=True
    )
    sealed_subject = models.BinaryField(_("whom it is about, sealed"), default=b"")
    wish = models.CharField(max_length=8, choices=Wish, blank=True)

    objects = InquiryQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("question about a person"), _("questions")
        ordering = ["-asked_at"]
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def is_waiting(self) -> bool:
        """For a worker."""
        return self.answer == Answer.WAITING or bool(self.wish)

    @property
    def may_be_taken_off(self) -> bool:
        return self.status in {SubscriberStatus.PENDING, SubscriberStatus.ACTIVE}

    def settle(self, answer: Answer, now: dt.datetime) -> None:
        """Writes the answer down and forgets whom the question was about."""
        self.answer, self.answered_at, self.wish = answer, now, Wish.NONE
        self.sealed_address = self.sealed_subject = b""
        self.status = self.suppressed_for = ""
        self.edition = None
        self.save()

    def find(
        self,
        now: dt.datetime,
        subscriber: Subscriber | None,
        suppression: Suppression | None,
        sealed_subject: bytes,
    ) -> None:
        """Writes down what a manager needs to know of them, and no more."""
        self.settle(Answer.SUPPRESSED if subscriber is None else Answer.KNOWN, now)
        if subscriber is not None:
            self.status, self.edition = subscriber.status, subscriber.edition
        self.suppressed_for = suppression.reason if suppression is not None else ""
        self.sealed_subject = sealed_subject
        self.save()

    def wish_for(self, wish: Wish) -> bool:
        """A worker is to do it; False if nobody was found, or another wish waits."""
        found = type(self).objects.filter(pk=self.pk, wish=Wish.NONE)
        return bool(found.exclude(sealed_subject=b"").update(wish=wish))
