"""Mailings: read-only, with the actions that their status allows."""

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

from articles.admin.object_actions import ConfirmationPage, ObjectAction, ObjectActionsAdmin
from newsletter.campaigns import approval, lifecycle, messages
from newsletter.campaigns.approval import ApprovalError
from newsletter.delivery.relays.status import relay_statuses
from newsletter.mime import InvalidLetter
from newsletter.models import Delivery, Mailing, MailingStatus
from newsletter.models.mailings import ENDED, NOT_BEGUN, UNDER_WAY
from newsletter.stats import alerts, charts, report
from newsletter.stats.counts import cached_stats, count, count_answers_per_minute
from newsletter.stats.progress import Progress
from newsletter.tasks import enqueue_lanes
from staff.base_admin import ReadOnlyAdmin

SEND_PERMISSION = "newsletter.send_mailing"
MAX_LISTED = 100
"""Rows that a page lists; the rest is only counted."""
IDLE_POLL_SECONDS = 15
"""For a mailing that is not sending."""


def send_now(request: HttpRequest, mailing: Mailing) -> str:
    """Launches it before its send time."""
    subscribers = lifecycle.launch(mailing, timezone.now(), by=request.user)
    enqueue_lanes(mailing)
    return __("The sending has begun. Readers: %(count)s.") % {"count": subscribers}


def pause(request: HttpRequest, mailing: Mailing) -> str:
    """No other letter leaves."""
    lifecycle.pause(mailing, timezone.now(), by=request.user, why=__("Paused by hand."))
    return __("Paused. Letters that were already handed over arrive; no other leaves.")


def resume(request: HttpRequest, mailing: Mailing) -> str:
    """Continues a paused mailing."""
    lifecycle.resume(mailing, timezone.now(), by=request.user)
    enqueue_lanes(mailing)
    return __("The sending goes on.")


def freeze_new_revision(request: HttpRequest, mailing: Mailing) -> str:
    """For everybody whose letter has not left yet."""
    subscribers = approval.freeze_new_revision(mailing, request.user, timezone.now())
    return __("Frozen anew. Readers who will get the new letter: %(count)s.") % {
        "count": subscribers
    }


def preview_new_revision(_request: HttpRequest, mailing: Mailing) -> ConfirmationPage:
    """How many have the old letter, how many would get the new one, and its articles."""
    counts = lifecycle.ledger(mailing)
    lines = [
        __("Have the old letter already, or may have it: %(count)s.")
        % {"count": counts.sent + counts.uncertain},
        __("Would get the new letter: %(count)s.") % {"count": counts.still_to_send},
    ]
    for content in messages.contents_of(mailing.digest, mailing.edition):
        lines.append(f"{content.text.title} ({content.language_name})")
    return ConfirmationPage("admin/articles/confirm.html", {"consequences": lines})


def resend_uncertain(request: HttpRequest, mailing: Mailing) -> str:
    """Sends the letter again to the uncertain."""
    subscribers = lifecycle.resend_uncertain(mailing, timezone.now(), by=request.user)
    mailing.refresh_from_db()
    enqueue_lanes(mailing)
    return __("They are sent the letter again: %(count)s.") % {"count": subscribers}


def preview_resend(_request: HttpRequest, mailing: Mailing) -> ConfirmationPage:
    """Lists the uncertain deliveries: when, by which relay, and why."""
    rows = Delivery.objects.of_mailing(mailing).uncertain().order_by("pk")
    lines = [
        __(
            "The relay may have taken these letters or not: %(count)s. Whoever has it already "
            "gets it a second time."
        )
        % {"count": rows.count()}
    ]
    for row in rows[:MAX_LISTED]:
        when = date_format(row.handed_over_at, "DATETIME_FORMAT") if row.handed_over_at else "–"
        lines.append(f"{row.pk}: {when}, {row.relay}, {row.get_reason_display()}")
    return ConfirmationPage("admin/articles/confirm.html", {"consequences": lines})


def has_uncertain(mailing: Mailing) -> bool:
    """Whether there is an uncertain delivery to send again."""
    may = mailing.status in UNDER_WAY | {MailingStatus.SENT}
    return may and Delivery.objects.of_mailing(mailing).uncertain().exists()


def cancel(request: HttpRequest, mailing: Mailing) -> str:
    """Ends it for good."""
    lifecycle.cancel(mailing, timezone.now(), by=request.user)
    return __("Cancelled. Letters that were already handed over arrive; no other leaves.")


def _in(*statuses: MailingStatus) -> Any:
    return lambda mailing: mailing.status in statuses


@admin.register(Mailing)
class MailingAdmin(ObjectActionsAdmin, ReadOnlyAdmin):
    """One digest in one edition, and its deliveries."""

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
        js = (Script("progress.js", type="module"),)

    object_actions = (
        ObjectAction(
            "send",
            _("Send now"),
            send_now,
            SEND_PERMISSION,
            _in(*NOT_BEGUN),
            "primary",
            _("The letters leave at once, without waiting for the edition’s hour."),
        ),
        ObjectAction("pause", _("Pause"), pause, SEND_PERMISSION, _in(MailingStatus.SENDING)),
        ObjectAction(
            "resume",
            _("Resume"),
            resume,
            SEND_PERMISSION,
            _in(MailingStatus.PAUSED),
            "primary",
        ),
        ObjectAction(
            "freeze-again",
            _("Freeze anew for the rest"),
            freeze_new_revision,
            SEND_PERMISSION,
            _in(MailingStatus.PAUSED),
            page=preview_new_revision,
            refuses=(ApprovalError, InvalidLetter),
        ),
        ObjectAction(
            "send-again",
            _("Send to the uncertain again"),
            resend_uncertain,
            SEND_PERMISSION,
            has_uncertain,
            page=preview_resend,
        ),
        ObjectAction(
            "cancel",
            _("Cancel"),
            cancel,
            SEND_PERMISSION,
            _in(*(NOT_BEGUN | UNDER_WAY)),
            "danger",
            _("What has not gone yet never goes. This cannot be undone."),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailing]:
        found: QuerySet[Mailing] = super().get_queryset(request)
        return found.select_related("digest", "edition", "approved_by")

    def get_urls(self) -> list[URLPattern]:
        progress = path(
            "<int:pk>/progress/",
            self.admin_site.admin_view(self.progress),
            name="newsletter_mailing_progress",
        )
        return [progress, *super().get_urls()]

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that static/progress.js replaces."""
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return render(request, "admin/newsletter/progress.html", _progress_context(row))

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        if row is None:
            return {}
        progress = _progress_context(row)
        context = {
            **progress,
            "details_template": "admin/newsletter/mailing_status.html",
            "more_details_template": "admin/newsletter/report.html",
            "contents": row.contents.select_related("article"),
        }
        if progress["progress"]:
            tally, minutes = (
                progress["progress"].stats,
                cached_stats(row, timezone.now, count_answers_per_minute),
            )
            context["report"] = report.build_report(row, tally, minutes)
            context["chart"] = charts.answers_chart(context["report"].intervals)
        return context


def _progress_context(mailing: Mailing) -> dict[str, Any]:
    """The mailing's progress, and when to poll again."""
    has_begun, now = mailing.launched_at is not None, timezone.now()
    tally = cached_stats(mailing, timezone.now, count) if has_begun else None
    progress = Progress(mailing, tally) if tally else None
    is_sending = mailing.status == MailingStatus.SENDING
    ttl = math.ceil(tally.cache_ttl.total_seconds()) if tally else 0
    return {
        "mailing": mailing,
        "progress": progress,
        "bar": charts.progress_bar(progress.states) if progress else "",
        "silent": alerts.unresponsive_components()
        if is_sending or mailing.status in NOT_BEGUN
        else [],
        "relays": relay_statuses(now) if mailing.status in UNDER_WAY else [],
        "now": now,
        "most_in_all": settings.LETTERS_PER_MINUTE,
        "provider_limits": sorted(settings.PROVIDER_LIMITS.items()),
        "is_over": mailing.status in ENDED,
        "ask_again_in": max(ttl, 2 if is_sending else IDLE_POLL_SECONDS),
    }
