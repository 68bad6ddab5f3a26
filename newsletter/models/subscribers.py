"""The list: subscribers with sealed addresses, sign-ups and suppressions."""

from __future__ import annotations

import datetime as dt
import secrets

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core import languages
from core.states import StatusModel
from keys.sealing import WorkerKeys
from newsletter.models.departures import Departure, DepartureKind
from newsletter.models.editions import Edition
from newsletter.models.variants import VariantKind

ID_BITS = 63


def random_id() -> int:
    """A primary key that reveals neither how many rows there are nor their order."""
    return secrets.randbits(ID_BITS)


class Manner(models.TextChoices):
    """How the form was filled in."""

    NORMAL = "", _("As people come")
    FAST = "fast", _("Faster than people type")
    TRAPPED = "trapped", _("Wrote where no person sees a field")


class SignUp(models.Model):
    """A submitted sign-up form, sealed for a worker and deleted once processed."""

    sealed_address = models.BinaryField(_("sealed address"))
    edition = models.ForeignKey(Edition, models.CASCADE, related_name="+")
    variant = models.CharField(max_length=10, choices=VariantKind, default=VariantKind.FULL)
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    wording = models.PositiveSmallIntegerField(_("wording of the consent"))
    arrived_at = models.DateTimeField(_("arrived"), db_index=True)
    manner = models.CharField(_("manner"), max_length=8, choices=Manner, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("sign-up"), _("sign-ups")
        ordering = ["arrived_at", "pk"]

    def __str__(self) -> str:
        return f"{self.pk}"


class SubscriberStatus(models.TextChoices):
    """pending → active → unsubscribed | bounced | complained."""

    PENDING = "pending", _("Pending")
    ACTIVE = "active", _("Active")
    UNSUBSCRIBED = "left", _("Left")
    BOUNCED = "bounced", _("Bounced")
    COMPLAINED = "complained", _("Complained")


ON_LIST = frozenset({SubscriberStatus.PENDING, SubscriberStatus.ACTIVE})
OFF_LIST = frozenset(SubscriberStatus) - ON_LIST


CONFIRMATION_INTERVAL = dt.timedelta(days=1)
"""An address gets at most one confirmation in it, whoever types it into the form."""
PREFERENCES_LINK_INTERVAL = dt.timedelta(days=1)
"""Whoever has a subscriber's letter can cause at most one mail in it."""
DEPARTURE_KINDS = {
    SubscriberStatus.UNSUBSCRIBED: DepartureKind.UNSUBSCRIBED,
    SubscriberStatus.BOUNCED: DepartureKind.BOUNCED,
    SubscriberStatus.COMPLAINED: DepartureKind.COMPLAINED,
}


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    """Adjectives filter."""

    def active(self) -> SubscriberQuerySet:
        return self.filter(status=SubscriberStatus.ACTIVE)

    def of_edition(self, edition: Edition) -> SubscriberQuerySet:
        return self.filter(edition=edition)


class Subscriber(StatusModel):
    """A sealed address, its keyed hash, and what the subscriber chose."""

    id = models.BigIntegerField(_("number"), primary_key=True, default=random_id, editable=False)
    sealed_address = models.BinaryField(_("sealed address"))
    key_generation = models.PositiveSmallIntegerField(_("key generation"))
    address_hash = models.BinaryField(
        _("keyed hash of the address"), max_length=32, unique=True, null=True
    )
    provider = models.CharField(_("provider"), max_length=20)
    edition = models.ForeignKey(
        Edition, models.PROTECT, verbose_name=_("edition"), related_name="subscribers"
    )
    variant = models.CharField(
        _("variant"), max_length=10, choices=VariantKind, default=VariantKind.FULL
    )
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    status = models.CharField(
        _("status"), max_length=10, choices=SubscriberStatus, default=SubscriberStatus.PENDING
    )
    signed_up_at = models.DateTimeField(_("signed up"))
    wording = models.PositiveSmallIntegerField(_("wording of the consent"), default=0)
    # The consent keeps its edition, whichever they choose later.
    came_by = models.ForeignKey(
        "newsletter.Import",
        models.SET_NULL,
        verbose_name=_("came by an import"),
        null=True,
        blank=True,
        related_name="subscribers",
    )
    consented_to = models.CharField(_("edition agreed to"), max_length=50, blank=True)
    confirmation_sent_at = models.DateTimeField(_("confirmation sent"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    preferences_asked_at = models.DateTimeField(
        _("link to preferences asked for"), null=True, blank=True
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("subscriber"), _("subscribers")
        permissions = [("import_subscribers", _("Can import subscribers"))]
        indexes = [models.Index(fields=["edition", "status"])]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(status="active") | models.Q(confirmed_at__isnull=False),
                name="active_was_confirmed",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["left", "bounced", "complained"])
                | models.Q(sealed_address=b""),
                name="gone_has_no_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def sign_up_timestamp(self) -> int:
        """Distinguishes sign-ups: a confirmation link of an earlier one does nothing."""
        return int(self.signed_up_at.timestamp())

    @property
    def is_gone(self) -> bool:
        return self.status in OFF_LIST

    def set_address(self, address: str, keys: WorkerKeys, hash_generation: int) -> None:
        """Seals the address for this row and sets its keyed hash. The caller saves.

        `hash_generation` has to be locked (HashGeneration.lock_shared) until then.
        """
        self.sealed_address = keys.seal_address(address, self.pk)
        self.key_generation = keys.generation
        self.address_hash = keys.hash_address(address, hash_generation)

    def address(self, keys: WorkerKeys) -> str:
        """The address, opened. Raises DecryptionError or KeyNotFound."""
        return keys.open_address(bytes(self.sealed_address), self.pk, self.key_generation)

    def confirm(self, now: dt.datetime) -> bool:
        """pending → active; False if it was not pending."""
        changed = self.transition(
            SubscriberStatus.ACTIVE,
            {SubscriberStatus.PENDING},
            confirmed_at=now,
            consented_to=self.edition.code,
            ended_at=None,
        )
        if changed:
            self.outbox.all().delete()
        if changed and self.address_hash is not None:
            # Only the subscriber's own confirmation lifts a suppression.
            Suppression.objects.lift(bytes(self.address_hash), now)
        return changed

    def end(self, status: SubscriberStatus, now: dt.datetime) -> bool:
        """Erases the address and suppresses its hash; False if that was done already.

        Needs no key: the row's hash is copied. Must run inside a transaction.
        """
        # Also False if the row was deleted meanwhile.
        changed = self.transition(status, ON_LIST, sealed_address=b"", ended_at=now)
        if changed:
            self.outbox.all().delete()
        if changed and self.address_hash is not None:
            address_hash = bytes(self.address_hash)
            Suppression.objects.update_or_create(
                address_hash=address_hash, defaults={"reason": status, "since": now}
            )
            Departure.objects.create(
                address_hash=address_hash, kind=DEPARTURE_KINDS[status], at=now
            )
        return changed

    def ask_for_preferences(self, now: dt.datetime) -> bool:
        """Records a request for the link; False if there was one within a day."""
        day_ago = now - PREFERENCES_LINK_INTERVAL
        return bool(
            type(self)
            .objects.active()
            .filter(
                models.Q(preferences_asked_at__isnull=True)
                | models.Q(preferences_asked_at__lte=day_ago),
                pk=self.pk,
            )
            .update(preferences_asked_at=now)
        )

    def forget(self, now: dt.datetime) -> None:
        """Deletes the row and any suppression: nothing of the subscriber is left in the database.

        The departures log gets a line, so that a restored backup does not bring them back.
        Deliveries still count, without a subscriber. Must run inside a transaction.
        """
        mine = type(self).objects.select_for_update().filter(pk=self.pk)
        address_hash = mine.values_list("address_hash", flat=True).first()
        if address_hash is not None:
            address_hash = bytes(address_hash)
            Suppression.objects.filter(address_hash=address_hash).delete()
            Departure.objects.create(
                address_hash=address_hash, kind=DepartureKind.FORGOTTEN, at=now
            )
        self.delete()


class SuppressionManager(models.Manager["Suppression"]):
    """Lifts suppressions."""

    def lift(self, address_hash: bytes, now: dt.datetime) -> bool:
        """False if there was none. Must run inside a transaction."""
        deleted, _by_model = self.filter(address_hash=address_hash).delete()
        if deleted:
            Departure.objects.create(address_hash=address_hash, kind=DepartureKind.RETURNED, at=now)
        return bool(deleted)


class Suppression(models.Model):
    """The keyed hash of an address that gets no mail. Outlives the subscriber."""

    address_hash = models.BinaryField(_("keyed hash of the address"), max_length=32, unique=True)
    reason = models.CharField(_("reason"), max_length=10, choices=SubscriberStatus)
    since = models.DateTimeField(_("since"), db_default=Now())

    objects = SuppressionManager()

    class Meta:
        verbose_name, verbose_name_plural = _("suppression"), _("suppressions")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(reason__in=["left", "bounced", "complained"]),
                name="suppression_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.get_reason_display()
