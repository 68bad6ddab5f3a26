"""The dashboard's panels: mailings, and the list."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.models import Digest
from core.weeks import Week
from newsletter.campaigns.lifecycle import Ledger
from newsletter.delivery.relays.status import failing_relays as failing_relays
from newsletter.models import Edition, Mailing
from newsletter.models.mailings import NOT_BEGUN, UNDER_WAY, MailingStatus
from newsletter.stats import alerts, subscribers
from newsletter.stats.counts import cached_stats, count
from newsletter.stats.progress import Progress
from staff.dashboard import MAX_PANEL_ROWS, Panel, register_panel

WITHDRAWN, REVIEW, PUBLISHED = "withdrawn", "review", "published"
STATUS_CHIP_CLASSES = {
    MailingStatus.PAUSED: WITHDRAWN,
    MailingStatus.HELD: WITHDRAWN,
    MailingStatus.SENDING: REVIEW,
}
"""CSS classes, shared with the states of articles."""


@dataclass(frozen=True)
class MailingRow:
    """One mailing on the panel."""

    mailing: Mailing
    is_late: bool
    ledger: Ledger | None

    @property
    def chip(self) -> str:
        return STATUS_CHIP_CLASSES.get(MailingStatus(self.mailing.status), PUBLISHED)


@register_panel(5)
def mailings_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Each edition's next mailing, those being sent, and alerts."""
    if not request.user.has_perm("newsletter.view_mailing"):
        return None
    found_alerts = alerts.find_alerts(now)
    active = Mailing.objects.filter(status__in=NOT_BEGUN | UNDER_WAY)
    found = list(active.select_related("digest", "edition").order_by("due_at")[:MAX_PANEL_ROWS])
    late = found_alerts.mailings if found_alerts else []
    listed = sorted(found, key=lambda one: one.status not in UNDER_WAY)
    hours = _next_hours(now, {(one.digest.week, one.edition_id) for one in found})
    context = {
        "mailings": [MailingRow(one, one in late, _ledger(one)) for one in listed],
        "alerts": found_alerts,
        "unresponsive": alerts.unresponsive_components(),
        "relays": failing_relays(now),
        "now": now,
        "next": hours,
        "is_empty": not found and not hours,
    }
    return Panel(_("Letters"), "admin/newsletter/panels/mailings.html", context)


@register_panel(6)
def subscribers_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Waiting sign-ups, and whether a limit is reached."""
    if not request.user.has_perm("newsletter.view_subscriber"):
        return None
    context = {"queue": subscribers.sign_up_queue(now)}
    return Panel(_("The list"), "admin/newsletter/panels/subscribers.html", context)


def _ledger(mailing: Mailing) -> Ledger | None:
    """None for one that has not started."""
    if mailing.status not in UNDER_WAY:
        return None
    return Progress(mailing, cached_stats(mailing, timezone.now, count)).ledger


def _next_hours(
    now: dt.datetime, known: set[tuple[Week, int]]
) -> list[tuple[Edition, dt.datetime, str]]:
    """When each edition is due next, where no mailing exists yet, and its digest's state."""
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
