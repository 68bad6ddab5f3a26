"""The first page's panel on letters: what goes next, and what needs a person."""

from __future__ import annotations

import datetime as dt

from django.http import HttpRequest
from django.utils.translation import gettext as _

from articles.models import Digest
from newsletter import counting
from newsletter import mailing as mailings
from newsletter.models import Edition, Mailing, MailingStatus
from newsletter.models.mailings import ALARM_AFTER, UNDER_WAY
from newsroom.weeks import Week
from staff.first_page import MOST, Panel, add_panel


def connect() -> None:
    """Called once the apps are ready."""
    add_panel(5, sendings)
    add_panel(6, the_list)


def sendings(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Each edition's next hour, and the mailings that are on their way or stand still."""
    if not request.user.has_perm("newsletter.view_mailing"):
        return None
    needs_a_person = {MailingStatus.HELD, *UNDER_WAY}
    overdue = set(Mailing.objects.overdue(now).values_list("pk", flat=True))
    active = Mailing.objects.filter(status__in=needs_a_person | {MailingStatus.SCHEDULED})
    found = list(active.select_related("digest", "edition").order_by("due_at")[:MOST])
    under_way = [(one, mailings.ledger(one)) for one in found if one.status in UNDER_WAY]
    standing = [one for one in found if one.status not in UNDER_WAY]
    context = {
        "under_way": under_way,
        "standing": standing,
        "overdue": overdue,
        "unapproved": _missed_hours(now),
        "next": _next_hours(now, {(one.digest.week, one.edition_id) for one in found}),
    }
    return Panel(_("Letters"), "admin/newsletter/panels/sendings.html", context)


def the_list(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """What stands at the list's door, and whether more come than can be asked to confirm."""
    if not request.user.has_perm("newsletter.view_subscriber"):
        return None
    context = {"intake": counting.intake(now)}
    return Panel(_("The list"), "admin/newsletter/panels/the_list.html", context)


def _missed_hours(now: dt.datetime) -> list[tuple[Edition, dt.datetime]]:
    """Editions whose hour is past by more than an hour, with a digest that nobody approved."""
    missed = []
    for edition in Edition.objects.all():
        week = edition.coming_week(now).previous()
        due_at = edition.due_at(week)
        digest = Digest.objects.filter(week=week).first()
        if digest is None or digest.is_approved or due_at > now - ALARM_AFTER:
            continue
        has_mailing = Mailing.objects.not_cancelled().filter(digest=digest, edition=edition)
        if digest.entries.exists() and not has_mailing.exists():
            missed.append((edition, due_at))
    return missed


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
