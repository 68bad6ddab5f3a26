"""Mailings: read-only, with the verbs of their state."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.admin.object_actions import Page, Verb, VerbsAdmin
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from newsletter.campaigns import messages as letters
from newsletter.campaigns.approval import CannotApprove
from newsletter.delivery.relays.status import standings
from newsletter.mime import LetterBroken
from newsletter.models import Delivery, Mailing, MailingStatus
from newsletter.models.mailings import ENDED, NOT_BEGUN, UNDER_WAY
from newsletter.stats import alerts, charts, report
from newsletter.stats.counts import count, count_minutes, recent
from newsletter.stats.progress import Progress
from newsletter.tasks import enqueue_lanes
from staff.base_admin import ReadOnlyAdmin

MAY_SEND = "newsletter.send_mailing"
MOST_NAMED = 100
"""Rows that a page names; more are counted."""
SELDOM = 15
"""Seconds between two looks at a mailing that only somebody or its hour sets going."""


def send_now(request: HttpRequest, mailing: Mailing) -> str:
    """Without waiting for its hour."""
    readers = mailings.launch(mailing, timezone.now(), by=request.user)
    enqueue_lanes(mailing)
    return __("The sending has begun. Readers: %(count)s.") % {"count": readers}


def pause(request: HttpRequest, mailing: Mailing) -> str:
    """Stops before the next letter."""
    mailings.pause(mailing, timezone.now(), by=request.user, why=__("Paused by hand."))
    return __("Paused. Letters that were already handed over arrive; no other leaves.")


def resume(request: HttpRequest, mailing: Mailing) -> str:
    """Goes on where it stopped."""
    mailings.resume(mailing, timezone.now(), by=request.user)
    enqueue_lanes(mailing)
    return __("The sending goes on.")


def freeze_again(request: HttpRequest, mailing: Mailing) -> str:
    """For whoever has not got the old letter."""
    readers = approval.freeze_again(mailing, request.user, timezone.now())
    return __("Frozen anew. Readers who will get the new letter: %(count)s.") % {"count": readers}


def before_freezing_again(_request: HttpRequest, mailing: Mailing) -> Page:
    """Who has the old letter, who would get the new one, and what it would carry."""
    counts = mailings.ledger(mailing)
    said = [
        __("Have the old letter already, or may have it: %(count)s.")
        % {"count": counts.sent + counts.uncertain},
        __("Would get the new letter: %(count)s.") % {"count": counts.still_to_send},
    ]
    for content in letters.contents_of(mailing.digest, mailing.edition):
        said.append(f"{content.text.title} ({content.language_name})")
    return Page("admin/articles/confirm.html", {"consequences": said})


def send_again(request: HttpRequest, mailing: Mailing) -> str:
    """To the uncertain, knowingly."""
    readers = mailings.send_again(mailing, timezone.now(), by=request.user)
    mailing.refresh_from_db()
    enqueue_lanes(mailing)
    return __("They are sent the letter again: %(count)s.") % {"count": readers}


def before_sending_again(_request: HttpRequest, mailing: Mailing) -> Page:
    """Each by its row: when it was handed to which relay, and why nobody knows."""
    rows = Delivery.objects.of_mailing(mailing).uncertain().order_by("pk")
    said = [
        __(
            "The relay may have taken these letters or not: %(count)s. Whoever has it already "
            "gets it a second time."
        )
        % {"count": rows.count()}
    ]
    for row in rows[:MOST_NAMED]:
        when = date_format(row.handed_over_at, "DATETIME_FORMAT") if row.handed_over_at else "–"
        said.append(f"{row.pk}: {when}, {row.relay}, {row.get_reason_display()}")
    return Page("admin/articles/confirm.html", {"consequences": said})


def has_uncertain(mailing: Mailing) -> bool:
    """Whether there is anybody to send to again."""
    may = mailing.status in UNDER_WAY | {MailingStatus.SENT}
    return may and Delivery.objects.of_mailing(mailing).uncertain().exists()


def cancel(request: HttpRequest, mailing: Mailing) -> str:
    """For good."""
    mailings.cancel(mailing, timezone.now(), by=request.user)
    return __("Cancelled. Letters that were already handed over arrive; no other leaves.")


def _in(*statuses: MailingStatus) -> Any:
    return lambda mailing: mailing.status in statuses


@admin.register(Mailing)
class MailingAdmin(VerbsAdmin, ReadOnlyAdmin):
    """One digest in one edition, and what becomes of its letters."""

    list_display = ("digest", "edition", "status", "due_at", "launched_at", "ended_at")
    list_filter = ("status", "edition")
    list_select_related = ("digest", "edition")
    fields = readonly_fields = (
        "digest",
        "edition",
        "status",
        "pause_reason",
        "due_at",
        "approved_at",
        "approved_by",
        "launched_at",
        "ended_at",
    )

    class Media:
        js = (Script("watching.js", type="module"),)

    verbs = (
        Verb(
            "send",
            _("Send now"),
            send_now,
            MAY_SEND,
            _in(*NOT_BEGUN),
            "primary",
            _("The letters leave at once, without waiting for the edition’s hour."),
        ),
        Verb("pause", _("Pause"), pause, MAY_SEND, _in(MailingStatus.SENDING)),
        Verb(
            "resume",
            _("Resume"),
            resume,
            MAY_SEND,
            _in(MailingStatus.PAUSED),
            "primary",
        ),
        Verb(
            "freeze-again",
            _("Freeze anew for the rest"),
            freeze_again,
            MAY_SEND,
            _in(MailingStatus.PAUSED),
            page=before_freezing_again,
            refuses=(CannotApprove, LetterBroken),
        ),
        Verb(
            "send-again",
            _("Send to the uncertain again"),
            send_again,
            MAY_SEND,
            has_uncertain,
            page=before_sending_again,
        ),
        Verb(
            "cancel",
            _("Cancel"),
            cancel,
            MAY_SEND,
            _in(*(NOT_BEGUN | UNDER_WAY)),
            "danger",
            _("What has not gone yet never goes. This cannot be undone."),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailing]:
        found: QuerySet[Mailing] = super().get_queryset(request)
        return found.select_related("digest", "edition", "approved_by")

    def get_urls(self) -> list[URLPattern]:
        watching = path(
            "<int:pk>/progress/",
            self.admin_site.admin_view(self.progress),
            name="newsletter_mailing_progress",
        )
        return [watching, *super().get_urls()]

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that moves, for its script to put in place of the old one."""
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return render(request, "admin/newsletter/progress.html", _moving(row))

    def facts(self, row: Any) -> dict[str, Any]:
        if row is None:
            return {}
        moving = _moving(row)
        context = {
            **moving,
            "facts_template": "admin/newsletter/ledger.html",
            "more_facts_template": "admin/newsletter/report.html",
            "contents": row.contents.select_related("article"),
        }
        if moving["progress"]:
            tally, minutes = moving["progress"].tally, recent(row, timezone.now, count_minutes)
            context["report"] = report.report(row, tally, minutes)
            context["chart"] = charts.chart(context["report"].stretches)
        return context


def _moving(mailing: Mailing) -> dict[str, Any]:
    """How the mailing stands, and in how many seconds it is worth asking again."""
    has_begun, now = mailing.launched_at is not None, timezone.now()
    tally = recent(mailing, timezone.now, count) if has_begun else None
    progress = Progress(mailing, tally) if tally else None
    is_sending = mailing.status == MailingStatus.SENDING
    good_for = math.ceil(tally.good_for.total_seconds()) if tally else 0
    return {
        "mailing": mailing,
        "progress": progress,
        "bar": charts.bar(progress.states) if progress else "",
        "silent": alerts.silent() if is_sending or mailing.status in NOT_BEGUN else [],
        "relays": standings(now) if mailing.status in UNDER_WAY else [],
        "now": now,
        "most_in_all": settings.LETTERS_PER_MINUTE,
        "provider_limits": sorted(settings.PROVIDER_LIMITS.items()),
        "is_over": mailing.status in ENDED,
        "ask_again_in": max(good_for, 2 if is_sending else SELDOM),
    }
