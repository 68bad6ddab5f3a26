"""Letters that should have gone more than an hour ago, whatever keeps them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from articles.models import Article, Digest
from core import health
from core.weeks import Week
from newsletter.campaigns import lifecycle as mailings
from newsletter.delivery.relays import status
from newsletter.models import Delivery, Edition, Mailing, MailingStatus
from newsletter.models.mailings import ALARM_AFTER

A_FEW = 0.05
"""So large a share of the readers may wait for another try: full mailboxes do for two days."""
FORGOTTEN_FOR = dt.timedelta(days=1)
"""After so long a digest that nobody gathered counts as left out on purpose."""
OVERDUE, FAILING = "overdue", "failing"


@dataclass(frozen=True)
class Alarms:
    """What a person has to look after."""

    mailings: list[Mailing]
    """Held, paused, not begun, or begun and far from done."""
    unapproved: list[tuple[Edition, dt.datetime]]
    """Editions whose hour is past, with a digest that nobody has approved, or not even gathered."""

    def __bool__(self) -> bool:
        return bool(self.mailings or self.unapproved)


def alarms(now: dt.datetime) -> Alarms:
    """Of every edition."""
    overdue = Mailing.objects.overdue(now).select_related("digest", "edition")
    return Alarms([one for one in overdue if not _is_nearly_done(one)], _unapproved(now))


def word(now: dt.datetime) -> str:
    """For /healthz: which letters, and how many, is nobody's business there."""
    return OVERDUE if alarms(now) else health.OK


def relays_word(now: dt.datetime) -> str:
    """For /healthz: which relay, and why, is nobody's business there."""
    return FAILING if status.alarming(now) else health.OK


def silent() -> list[str]:
    """What gives no sign of life and would have to for a mail to leave, for the staff to read."""
    said = {
        ("broker", health.NO_ANSWER): _("The broker does not answer: no letter leaves."),
        ("worker", health.SILENT): _("No worker gives a sign of life: no letter leaves."),
        ("intake", health.SILENT): _("No worker takes sign-ups in: nobody is asked to confirm."),
        ("beat", health.SILENT): _("Beat gives no sign of life: nothing begins by itself."),
    }
    return [said[found] for found in health.engine().items() if found in said]


def _is_nearly_done(mailing: Mailing) -> bool:
    """Every letter was tried, and only a few wait to be tried again."""
    if mailing.status != MailingStatus.SENDING:
        return False
    to_send = Delivery.objects.of_mailing(mailing).weekly().still_to_send()
    if to_send.filter(attempts=0).exists():
        return False
    counts = mailings.ledger(mailing)
    return counts.still_to_send <= counts.audience * A_FEW


def _unapproved(now: dt.datetime) -> list[tuple[Edition, dt.datetime]]:
    missed = []
    for edition in Edition.objects.all():
        week = edition.coming_week(now).previous()
        due_at = edition.due_at(week)
        if due_at <= now - ALARM_AFTER and _waits_for_approval(week, edition, now - due_at):
            missed.append((edition, due_at))
    return missed


def _waits_for_approval(week: Week, edition: Edition, late_by: dt.timedelta) -> bool:
    digest = Digest.objects.filter(week=week).first()
    if digest is None:
        written = Article.objects.in_language(*edition.languages).of_week(week)
        return late_by < FORGOTTEN_FOR and written.exists()
    if digest.is_approved or not digest.entries.exists():
        return False
    mailings_of_it = Mailing.objects.not_cancelled().filter(digest=digest, edition=edition)
    return not mailings_of_it.exists()
