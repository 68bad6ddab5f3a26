"""The list in the admin: how many, never who. A lookup is shown only to whoever requested it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from keys.sealing import KeyNotFound
from newsletter.models import Edition, LookupAction, Subscriber, SubscriberLookup, SubscriberStatus
from newsletter.stats import charts, subscribers
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup import request_lookup
from newsletter.subscribers.lookup_limits import TooManyLookups
from newsletter.tasks import answer_lookup, enqueue
from staff.base_admin import ReadOnlyAdmin

MAY_CHANGE, MAY_LOOK_UP = "newsletter.change_subscriber", "newsletter.add_subscriberlookup"


class LookupForm(forms.Form):
    """An address for a worker to look up."""

    address = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnlyAdmin):
    """Counts, and lookups of one person. No subscriber has a page."""

    def get_urls(self) -> list[URLPattern]:
        view, base = self.admin_site.admin_view, "answer/<int:pk>/"
        action = view(require_POST(self.apply_action))
        return [
            path("", view(self.changelist_view), name="newsletter_subscriber_changelist"),
            path("ask/", view(require_POST(self.create_lookup)), name="newsletter_lookup_create"),
            path(base, view(require_safe(self.show_lookup)), name="newsletter_lookup"),
            path(f"{base}<slug:wish>/", action, name="newsletter_lookup_action"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Counts by edition, status and month. Small numbers are hidden."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request, LookupForm())

    def _page(self, request: HttpRequest, form: LookupForm, status: int = 200) -> HttpResponse:
        editions = list(Edition.objects.all())
        months = subscribers.count_by_month(timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The list"),
            "statuses": [one.label for one in SubscriberStatus],
            "by_status": subscribers.count_by_status(),
            "small": subscribers.MIN_SHOWN_COUNT,
            "editions": editions,
            "months": months[::-1],
            "chart": charts.subscribers_chart(months, editions),
            "returned_mail": subscribers.count_returned_mail(timezone.now()),
            "queue": subscribers.sign_up_queue(timezone.now()),
            "form": form if request.user.has_perm(MAY_LOOK_UP) else None,
        }
        return render(request, "admin/newsletter/subscribers.html", context, status=status)

    def create_lookup(self, request: HttpRequest) -> HttpResponse:
        """Seals the address and enqueues the lookup."""
        if not request.user.has_perm(MAY_LOOK_UP):
            raise PermissionDenied
        form = LookupForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, 400)
        try:
            lookup = request_lookup(form.cleaned_data["address"], request.user, timezone.now())
        except (InvalidAddress, TooManyLookups, KeyNotFound) as error:
            form.add_error("address", str(error))
            return self._page(request, form, 400)
        enqueue(answer_lookup, lookup.pk)
        return HttpResponseRedirect(reverse("admin:newsletter_lookup", args=[lookup.pk]))

    def show_lookup(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The worker's answer."""
        lookup = _get_own_lookup(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Is this person on the list?"),
            "lookup": lookup,
            "is_waiting": lookup.is_waiting,
            "may_change": bool(lookup.sealed_subject) and request.user.has_perm(MAY_CHANGE),
        }
        return render(request, "admin/newsletter/lookup_answer.html", context)

    def apply_action(self, request: HttpRequest, pk: int, wish: str) -> HttpResponse:
        """Requests an action of a worker, which alone knows whom the lookup found."""
        lookup = _get_own_lookup(request, pk)
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        if wish not in LookupAction.values:
            raise Http404
        if lookup.request_action(LookupAction(wish)):
            enqueue(answer_lookup, lookup.pk)
        return HttpResponseRedirect(reverse("admin:newsletter_lookup", args=[lookup.pk]))


def _get_own_lookup(request: HttpRequest, pk: int) -> SubscriberLookup:
    """404 for somebody else's."""
    if not request.user.has_perm(MAY_LOOK_UP):
        raise PermissionDenied
    rows = SubscriberLookup.objects.select_related("edition")
    return get_object_or_404(rows, pk=pk, asked_by=request.user)
