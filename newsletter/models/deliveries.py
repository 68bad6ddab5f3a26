"""The ledger: one row per letter and subscriber, and the lanes that send them."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.models import Digest
from newsletter.models.bounces import BounceKind
from newsletter.models.due import is_due
from newsletter.models.mailings import Mailing, MailingStatus, Variant
from newsletter.models.subscribers import Subscriber


class DeliveryStatus(models.TextChoices):
    """pending → claimed → handed over → sent | retry | failed | uncertain; or excluded."""

    PENDING = "pending", _("Waiting")
    CLAIMED = "claimed", _("Claimed")
    HANDED_OVER = "handed", _("Handed over")
    SENT = "sent", _("Sent")
    RETRY = "retry", _("To be tried again")
    FAILED = "failed", _("Failed")
    UNCERTAIN = "uncertain", _("Uncertain")
    EXCLUDED = "excluded", _("Excluded")


TO_SEND = frozenset({DeliveryStatus.PENDING, DeliveryStatus.RETRY})
"""A lane may claim them."""
IN_FLIGHT = frozenset({DeliveryStatus.CLAIMED, DeliveryStatus.HANDED_OVER})
"""A lane is working on them."""
STILL_TO_SEND = TO_SEND | IN_FLIGHT
"""The mailing is not over while one of these is left."""
NEVER_ARRIVED = frozenset({DeliveryStatus.FAILED, DeliveryStatus.EXCLUDED})
"""The subscriber certainly did not receive it, so another mailing may send the digest."""


class DeliveryKind(models.TextChoices):
    """Why somebody gets the letter."""

    WEEKLY = "weekly", _("The week’s letter")
    LATEST = "latest", _("The latest letter, at once after confirming")


class DeliveryReason(models.TextChoices):
    """Why a delivery is not sent. Codes only: a relay's text may quote the address."""

    NONE = "", _("–")
    LATER = "later", _("The relay asked to try later")
    GONE = "gone", _("The mailbox does not exist")
    REFUSED = "refused", _("The relay refused us")
    TOO_OFTEN = "too often", _("Given up after two days of trying")
    CONNECTION = "connection", _("The connection broke")
    LANE_DIED = "lane died", _("The worker died meanwhile")
    NOT_ACTIVE = "not active", _("No longer subscribed")
    CANCELLED = "cancelled", _("The mailing was cancelled")
    UNSENDABLE = "unsendable", _("The address cannot be opened or written to")


MAX_CONSECUTIVE_SOFT_BOUNCES = 3
"""A subscriber with so many soft-bounced mailings in a row is marked as bounced."""
MAX_RETRY_DELAY = dt.timedelta(hours=4)
"""The longest delay between two attempts."""


class Lane(models.Model):
    """One worker slot on one mailing, alive until its lease expires."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mailing = models.ForeignKey(Mailing, models.CASCADE, related_name="lanes")
    slot = models.PositiveSmallIntegerField(_("slot"))
    started_at = models.DateTimeField(_("started"))
    lease_until = models.DateTimeField(_("lease until"))
    relay = models.CharField(_("relay"), max_length=100, db_default="")
    connections = models.PositiveSmallIntegerField(_("connections"), db_default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("lane"), _("lanes")
        constraints = [
            models.UniqueConstraint(fields=["mailing", "slot"], name="one_lane_per_slot"),
        ]

    def __str__(self) -> str:
        return f"{self.mailing_id}/{self.slot}"


def is_sendable() -> models.Q:
    """Deliveries that a lane may claim: all of a mailing that is sending; of a mailing that was
    sent, those to subscribers who confirmed since."""
    return models.Q(mailing__status=MailingStatus.SENDING) | models.Q(
        mailing__status=MailingStatus.SENT, kind=DeliveryKind.LATEST
    )


def latest_variant() -> models.Subquery:
    """For an UPDATE: the newest revision of the delivery's variant."""
    kind = Variant.objects.filter(pk=models.OuterRef(models.OuterRef("variant_id"))).values("kind")
    same = Variant.objects.filter(mailing=models.OuterRef("mailing_id"), kind=models.Subquery(kind))
    return models.Subquery(same.order_by("-revision").values("pk")[:1])


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Adjectives filter; "now" is an argument."""

    def of_mailing(self, mailing: Mailing) -> DeliveryQuerySet:
        return self.filter(mailing=mailing)

    def to_send(self, now: dt.datetime) -> DeliveryQuerySet:
        """A lane may claim them now."""
        return self.filter(is_due("due_at", now, MAX_RETRY_DELAY), status__in=TO_SEND)

    def weekly(self) -> DeliveryQuerySet:
        """To the audience at launch."""
        return self.filter(kind=DeliveryKind.WEEKLY)

    def to_late_subscribers(self) -> DeliveryQuerySet:
        """To subscribers who confirmed after the launch."""
        return self.filter(kind=DeliveryKind.LATEST)

    def still_to_send(self) -> DeliveryQuerySet:
        return self.filter(status__in=STILL_TO_SEND)

    def uncertain(self) -> DeliveryQuerySet:
        return self.filter(status=DeliveryStatus.UNCERTAIN)


class Delivery(models.Model):
    """One variant of a mailing to one subscriber."""

    # Each letter updates its row three times, and every index with it: only those needed.
    mailing = models.ForeignKey(Mailing, models.PROTECT, related_name="deliveries", db_index=False)
    digest = models.ForeignKey(Digest, models.PROTECT, related_name="+", db_index=False)
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="+", db_index=False)
    # Cleared after thirty days (privacy/retention.yaml); the row still counts.
    subscriber = models.ForeignKey(
        Subscriber, models.SET_NULL, related_name="deliveries", null=True
    )
    kind = models.CharField(
        _("kind"), max_length=10, choices=DeliveryKind, default=DeliveryKind.WEEKLY
    )
    status = models.CharField(
        _("status"), max_length=10, choices=DeliveryStatus, default=DeliveryStatus.PENDING
    )
    reason = models.CharField(_("reason"), max_length=12, choices=DeliveryReason, blank=True)
    provider = models.CharField(_("provider"), max_length=20)
    # Not a foreign key: the lane's row is deleted when it ends, and its letters keep its id.
    lane = models.UUIDField(_("lane"), null=True, blank=True)
    relay = models.CharField(_("relay"), max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(_("due"))
    deferred_since = models.DateTimeField(_("put off since"), null=True, blank=True)
    handed_over_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    reply_code = models.PositiveSmallIntegerField(_("reply code"), null=True, blank=True)
    bounce = models.CharField(
        _("came back"), max_length=10, choices=BounceKind, blank=True, db_default=""
    )
    enhanced_code = models.CharField(_("enhanced code"), max_length=11, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("delivery"), _("deliveries")
        constraints = [
            # Across editions: whoever changes edition gets the week's digest once.
            models.UniqueConstraint(
                fields=["digest", "subscriber"],
                condition=~models.Q(status__in=["failed", "excluded"]),
                name="one_live_delivery_per_digest_and_subscriber",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["claimed", "handed"])
                | models.Q(lane__isnull=False),
                name="in_flight_has_a_lane",
            ),
        ]
        indexes = [
            models.Index(fields=["mailing", "status", "due_at"]),
            # Each minute's run looks for letters to late subscribers.
            models.Index(
                fields=["mailing"],
                condition=models.Q(
                    kind="latest", status__in=["pending", "retry", "claimed", "handed"]
                ),
                name="late_letters",
            ),
            models.Index(
                fields=["lane"],
                condition=models.Q(status__in=["claimed", "handed"]),
                name="in_flight_by_lane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.get_status_display()}"

    def consecutive_soft_bounces(self) -> int:
        """The length of the run of soft bounces that this delivery is part of.

        Counts from the subscriber's last sign-up, one per mailing. A report may arrive after the
        next letter was sent.
        """
        came_back = models.Q(bounce=BounceKind.SOFT) | models.Q(reason=DeliveryReason.TOO_OFTEN)
        letters = Delivery.objects.filter(
            came_back | models.Q(status=DeliveryStatus.SENT),
            subscriber=self.subscriber_id,
            handed_over_at__gte=models.F("subscriber__signed_up_at"),
        )
        in_order = (
            letters.annotate(is_soft=models.Case(models.When(came_back, then=True), default=False))
            .order_by("handed_over_at", "pk")
            .values_list("is_soft", "pk")
        )
        for is_soft, group in itertools.groupby(in_order, key=lambda row: row[0]):
            run = [pk for _is_soft, pk in group]
            if is_soft and self.pk in run:
                return len(run)
        return 0
