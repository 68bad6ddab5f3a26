"""The outbox of transactional mail: confirmation, welcome, link to the preferences."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from newsletter.models.due import is_due
from newsletter.models.subscribers import Subscriber, SubscriberStatus, random_id

LEASE_DURATION = dt.timedelta(minutes=5)
"""How long a worker owns a mail that it is sending."""
MAX_WAIT = dt.timedelta(days=1)
"""No mail is scheduled further ahead."""


class MailKind(models.TextChoices):
    """Why a subscriber is written to."""

    CONFIRMATION = "confirmation", _("The mail that asks to confirm")
    WELCOME = "welcome", _("The welcome")
    PREFERENCES = "preferences", _("The link to the preferences")


class OutboxQuerySet(models.QuerySet["OutboxMail"]):
    """Adjectives filter; "now" is an argument."""

    def of(self, subscriber: Subscriber, kind: MailKind) -> OutboxQuerySet:
        return self.filter(subscriber=subscriber, kind=kind)

    def confirmations(self) -> OutboxQuerySet:
        return self.filter(kind=MailKind.CONFIRMATION)

    def due(self, now: dt.datetime) -> OutboxQuerySet:
        """To be sent now, unless the subscriber has left or has confirmed meanwhile."""
        asks = models.Q(kind=MailKind.CONFIRMATION)
        is_pending = models.Q(subscriber__status=SubscriberStatus.PENDING)
        is_active = models.Q(subscriber__status=SubscriberStatus.ACTIVE)
        return self.filter(
            is_due("due_at", now, MAX_WAIT), (asks & is_pending) | (~asks & is_active)
        )

    def enqueue(
        self,
        subscriber: Subscriber,
        kind: MailKind,
        now: dt.datetime,
        due_at: dt.datetime | None = None,
    ) -> None:
        """Makes one mail of this kind due; one that is waiting already stays as it is."""
        mail = OutboxMail(subscriber=subscriber, kind=kind, created_at=now, due_at=due_at or now)
        self.bulk_create([mail], ignore_conflicts=True)


class OutboxMail(models.Model):
    """A transactional mail, deleted once a relay has accepted it or it is given up."""

    id = models.BigIntegerField(_("number"), primary_key=True, default=random_id, editable=False)
    subscriber = models.ForeignKey(Subscriber, models.CASCADE, related_name="outbox")
    kind = models.CharField(_("kind"), max_length=12, choices=MailKind)
    created_at = models.DateTimeField(_("created"))
    due_at = models.DateTimeField(_("due"), db_index=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    deferred_since = models.DateTimeField(_("put off since"), null=True, blank=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("single mail"), _("single mails")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "kind"], name="one_single_mail_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def created_timestamp(self) -> int:
        """Distinguishes this mail from others to the same subscriber."""
        return int(self.created_at.timestamp())

    def claim(self, now: dt.datetime) -> bool:
        """Takes the lease; False if another worker has it, or the mail is gone."""
        return self._move(now + LEASE_DURATION)

    def postpone_until(self, due_at: dt.datetime) -> bool:
        """A limit is reached; False if the mail is gone."""
        return self._move(due_at)

    def postpone(self, wait: dt.timedelta, now: dt.datetime, *, attempts: int = 0) -> bool:
        """To be tried again; False if the mail is gone."""
        return self._move(
            now + wait,
            attempts=self.attempts + attempts,
            deferred_since=self.deferred_since or now,
        )

    def remove(self) -> bool:
        """Sent or given up; False if the mail was gone before."""
        deleted, _by_model = type(self).objects.filter(pk=self.pk, due_at=self.due_at).delete()
        return bool(deleted)

    def _move(self, due_at: dt.datetime, **changes: object) -> bool:
        """Only if nobody else has changed its due time since it was read."""
        mine = type(self).objects.filter(pk=self.pk, due_at=self.due_at)
        changed = mine.update(due_at=due_at, **changes)
        self.due_at = due_at
        return bool(changed)
