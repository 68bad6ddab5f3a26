"""Staff look up whether an address is on the list; a worker answers."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from newsletter.models.editions import Edition
from newsletter.models.subscribers import Subscriber, SubscriberStatus, Suppression


class LookupAnswer(models.TextChoices):
    """What a worker found or did."""

    WAITING = "", _("A worker is looking")
    KNOWN = "known", _("There is a row")
    SUPPRESSED = "suppressed", _("Not on the list, and not to be written to")
    UNKNOWN = "unknown", _("Not on the list")
    UNREADABLE = "unreadable", _("It cannot be opened any more. Ask again.")
    REFUSED = "refused", _("Not looked up: today’s questions about the list are used up")
    TAKEN_OFF = "taken off", _("Taken off the list. The address is erased.")
    FORGOTTEN = "forgotten", _("Nothing about this person is left on the list.")
    LIFTED = "lifted", _("They can sign up again, and will be asked to confirm.")


class LookupAction(models.TextChoices):
    """What a worker is to do with the subscriber it found."""

    NONE = "", ""
    TAKE_OFF = "take-off", _("Take off the list")
    FORGET = "forget", _("Forget this person wholly")
    LIFT = "lift", _("Let them sign up again")


class SubscriberLookupQuerySet(models.QuerySet["SubscriberLookup"]):
    """Adjectives filter."""

    def awaiting_worker(self) -> SubscriberLookupQuerySet:
        """Not answered yet, or answered with an action requested."""
        return self.filter(
            ~models.Q(wish=LookupAction.NONE) | models.Q(answer=LookupAnswer.WAITING)
        )


class SubscriberLookup(models.Model):
    """Sealed for a worker. The address is erased with the answer, the row a day later.

    The answer contains no primary key of the list: that is sealed for a worker again.
    """

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    asked_at = models.DateTimeField(_("asked"), db_index=True)
    sealed_address = models.BinaryField(_("sealed address"))
    answer = models.CharField(_("answer"), max_length=10, choices=LookupAnswer, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=SubscriberStatus, blank=True)
    edition = models.ForeignKey(
        Edition, models.SET_NULL, verbose_name=_("edition"), null=True, related_name="+"
    )
    suppressed_for = models.CharField(
        _("reason"), max_length=10, choices=SubscriberStatus, blank=True
    )
    sealed_subject = models.BinaryField(_("whom it is about, sealed"), default=b"")
    wish = models.CharField(max_length=8, choices=LookupAction, blank=True)

    objects = SubscriberLookupQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("question about a person"), _("questions")
        ordering = ["-asked_at"]
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def is_waiting(self) -> bool:
        """A worker has to act."""
        return self.answer == LookupAnswer.WAITING or bool(self.wish)

    @property
    def can_be_unsubscribed(self) -> bool:
        return self.status in {SubscriberStatus.PENDING, SubscriberStatus.ACTIVE}

    def record_answer(self, answer: LookupAnswer, now: dt.datetime) -> None:
        """Stores the answer and erases the address."""
        self.answer, self.answered_at, self.wish = answer, now, LookupAction.NONE
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
        """Stores what a manager needs to know, and no more."""
        self.record_answer(
            LookupAnswer.SUPPRESSED if subscriber is None else LookupAnswer.KNOWN, now
        )
        if subscriber is not None:
            self.status, self.edition = subscriber.status, subscriber.edition
        self.suppressed_for = suppression.reason if suppression is not None else ""
        self.sealed_subject = sealed_subject
        self.save()

    def request_action(self, wish: LookupAction) -> bool:
        """Asks a worker to act; False if nobody was found, or another action is pending."""
        found = type(self).objects.filter(pk=self.pk, wish=LookupAction.NONE)
        return bool(found.exclude(sealed_subject=b"").update(wish=wish))
