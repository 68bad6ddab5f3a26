"""The first page's panel on letters: what goes next, and what needs a person."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.models import Digest
from core.weeks import Week
from newsletter.campaigns.lifecycle import Ledger
from newsletter.delivery.relays.status import alarming as failing_relays
from newsletter.models import Edition, Mailing
from newsletter.models.mailings import NOT_BEGUN, UNDER_WAY, MailingStatus
from newsletter.stats import alerts, subscribers
from newsletter.stats.counts import count, recent
from newsletter.stats.progress import Progress
from staff.dashboard import MOST, Panel, panel

WITHDRAWN, REVIEW, PUBLISHED = "withdrawn", "review", "published"
CHIPS = {
    MailingStatus.PAUSED: WITHDRAWN,
    MailingStatus.HELD: WITHDRAWN,
    MailingStatus.SENDING: REVIEW,
}
"""How a status looks: as an article's state of these names does."""


@dataclass(frozen=True)
class Line:
    """One mailing in the list."""

    mailing: Mailing
    is_late: bool
    ledger: Ledger | None

    @property
    def chip(self) -> str:
        return CHIPS.get(MailingStatus(self.mailing.status), PUBLISHED)


@panel(5)
def sendings(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Each edition's next hour, and the mailings that are on their way or stand still."""
    if not request.user.has_perm("newsletter.view_mailing"):
        return None
    alarms = alerts.alarms(now)
    active = Mailing.objects.filter(status__in=NOT_BEGUN | UNDER_WAY)
    found = list(active.select_related("digest", "edition").order_by("due_at")[:MOST])
    late = alarms.mailings if alarms else []
    listed = sorted(found, key=lambda one: one.status not in UNDER_WAY)
    hours = _next_hours(now, {(one.digest.week, one.edition_id) for one in found})
    context = {
        "mailings": [Line(one, one in late, _ledger(one)) for one in listed],
        "alarms": alarms,
        "silent": alerts.silent(),
        "relays": failing_relays(now),
        "now": now,
        "next": hours,
        "is_empty": not found and not hours,
    }
    return Panel(_("Letters"), "admin/newsletter/panels/sendings.html", context)


@panel(6)
def the_list(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """What stands at the list's door, and whether more come than can be asked to confirm."""
    if not request.user.has_perm("newsletter.view_subscriber"):
        return None
    context = {"intake": subscribers.intake(now)}
    return Panel(_("The list"), "admin/newsletter/panels/the_list.html", context)


def _ledger(mailing: Mailing) -> Ledger | None:
    """None for one that has not begun."""
    if mailing.status not in UNDER_WAY:
        return None
    return Progress(mailing, recent(mailing, timezone.now, count)).ledger


def _next_hours(
    now: dt.datetime, known: set[tuple[Week, int]]
) -> list[tuple[Edition, dt.datetime, str]]:
    """When each edition goes next, for what week, if no mailing says so already."""
    week = Week.containing(now.date())
    digests = {
        digest.week: digest for digest in Digest.objects.filter(week__in=[week, week.previous()])
    }
    hours = []
    for edition in Edition.objects.all():
        coming = edition.coming_week(now)
        if (coming, edition.pk) in known:
            continue
        digest = digests.get(coming)
        state = str(digest.get_status_display()) if digest else _("not gathered yet")
        hours.append((edition, edition.due_at(coming), state))
    return hours
