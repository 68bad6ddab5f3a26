"""Single mails that are due: to confirm, to welcome, with the link to the preferences."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from newsletter.models.due import is_due
from newsletter.models.subscribers import Subscriber, SubscriberStatus, random_id

LEASE = dt.timedelta(minutes=5)
"""How long another worker leaves a mail alone that one has begun to send."""
MAX_WAIT = dt.timedelta(days=1)
"""No mail is made due later than that."""


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
        """To be sent now. Who has left, or has confirmed meanwhile, gets nothing."""
        asks = models.Q(kind=MailKind.CONFIRMATION)
        is_pending = models.Q(subscriber__status=SubscriberStatus.PENDING)
        is_active = models.Q(subscriber__status=SubscriberStatus.ACTIVE)
        return self.filter(
            is_due("due_at", now, MAX_WAIT), (asks & is_pending) | (~asks & is_active)
        )

    def put(
        self,
        subscriber: Subscriber,
        kind: MailKind,
        now: dt.datetime,
        due_at: dt.datetime | None = None,
    ) -> None:
        """One mail of this kind is due to the subscriber; one that waits already stays."""
        mail = OutboxMail(subscriber=subscriber, kind=kind, created_at=now, due_at=due_at or now)
        self.bulk_create([mail], ignore_conflicts=True)


class OutboxMail(models.Model):
    """One single mail until the relay has taken it, or it is given up; then the row goes."""

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
    def second(self) -> int:
        """Tells this mail from others to its subscriber: each follows from one that arrived."""
        return int(self.created_at.timestamp())

    def claim(self, now: dt.datetime) -> bool:
        """Takes it for as long as the lease; False if another worker has, or it is gone."""
        return self._move(now + LEASE)

    def hold_until(self, due_at: dt.datetime) -> bool:
        """A limit is reached; False if it is gone."""
        return self._move(due_at)

    def put_off(self, wait: dt.timedelta, now: dt.datetime, *, attempts: int = 0) -> bool:
        """To be tried again; False if it is gone."""
        return self._move(
            now + wait,
            attempts=self.attempts + attempts,
            deferred_since=self.deferred_since or now,
        )

    def remove(self) -> bool:
        """Sent, or given up; False if it was gone before."""
        deleted, _by_model = type(self).objects.filter(pk=self.pk, due_at=self.due_at).delete()
        return bool(deleted)

    def _move(self, due_at: dt.datetime, **changes: object) -> bool:
        """Only while nobody else has moved it: who comes back meanwhile has a row of their own."""
        mine = type(self).objects.filter(pk=self.pk, due_at=self.due_at)
        changed = mine.update(due_at=due_at, **changes)
        self.due_at = due_at
        return bool(changed)
