"""Alerts about overdue mailings, failing relays and unresponsive processes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from articles.models import Article, Digest
from core import health
from core.weeks import Week
from newsletter.campaigns.lifecycle import ledger
from newsletter.delivery.relays import status
from newsletter.models import Delivery, Edition, Mailing, MailingStatus
from newsletter.models.mailings import OVERDUE_AFTER

MAX_RETRY_SHARE = 0.05
"""This share may still wait for a retry without an alert: full mailboxes do for two days."""
MISSING_DIGEST_ALERT_FOR = dt.timedelta(days=1)
"""After that a week without a digest counts as skipped on purpose."""
OVERDUE, FAILING = "overdue", "failing"


@dataclass(frozen=True)
class Alerts:
    """What needs a person."""

    mailings: list[Mailing]
    """Overdue: held, paused, not started, or far from done."""
    unapproved: list[tuple[Edition, dt.datetime]]
    """Editions whose send time has passed without an approved digest."""

    def __bool__(self) -> bool:
        return bool(self.mailings or self.unapproved)


def find_alerts(now: dt.datetime) -> Alerts:
    """Of all editions, an hour after their send time."""
    overdue = Mailing.objects.overdue(now).select_related("digest", "edition")
    return Alerts([one for one in overdue if not _is_nearly_done(one)], _unapproved(now))


def letters_health(now: dt.datetime) -> str:
    """For /healthz, without details."""
    return OVERDUE if find_alerts(now) else health.OK


def relays_health(now: dt.datetime) -> str:
    """For /healthz, without details."""
    return FAILING if status.failing_relays(now) else health.OK


def unresponsive_components() -> list[str]:
    """Messages for staff about processes without a heartbeat that mail depends on."""
    messages = {
        ("broker", health.NO_ANSWER): _("The broker does not answer: no letter leaves."),
        ("worker", health.SILENT): _("No worker gives a sign of life: no letter leaves."),
        ("intake", health.SILENT): _("No worker takes sign-ups in: nobody is asked to confirm."),
        ("beat", health.SILENT): _("Beat gives no sign of life: nothing begins by itself."),
    }
    return [
        messages[found]
        for found in health.check_broker_and_processes().items()
        if found in messages
    ]


def _is_nearly_done(mailing: Mailing) -> bool:
    """Every letter was attempted, and only a few wait for a retry."""
    if mailing.status != MailingStatus.SENDING:
        return False
    to_send = Delivery.objects.of_mailing(mailing).weekly().still_to_send()
    if to_send.filter(attempts=0).exists():
        return False
    counts = ledger(mailing)
    return counts.still_to_send <= counts.audience * MAX_RETRY_SHARE


def _unapproved(now: dt.datetime) -> list[tuple[Edition, dt.datetime]]:
    missed = []
    for edition in Edition.objects.all():
        week = edition.coming_week(now).previous()
        due_at = edition.due_at(week)
        if due_at <= now - OVERDUE_AFTER and _needs_approval(week, edition, now - due_at):
            missed.append((edition, due_at))
    return missed


def _needs_approval(week: Week, edition: Edition, late_by: dt.timedelta) -> bool:
    digest = Digest.objects.filter(week=week).first()
    if digest is None:
        written = Article.objects.in_language(*edition.languages).of_week(week)
        return late_by < MISSING_DIGEST_ALERT_FOR and written.exists()
    if digest.is_approved or not digest.entries.exists():
        return False
    return not Mailing.objects.not_cancelled().filter(digest=digest, edition=edition).exists()
