"""The list in the admin: how many, never who. One row opens only for whoever asked about it."""

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

from keys.sealing import KeyMissing
from newsletter.models import Edition, Inquiry, Subscriber, SubscriberStatus, Wish
from newsletter.stats import charts, subscribers
from newsletter.subscribers import lookup
from newsletter.subscribers.addresses import InvalidAddress
from newsletter.subscribers.lookup_limits import TooManyQuestions
from newsletter.tasks import answer_inquiry, enqueue
from staff.base_admin import ReadOnlyAdmin

MAY_CHANGE, MAY_ASK = "newsletter.change_subscriber", "newsletter.add_inquiry"


class AskForm(forms.Form):
    """An address, which a worker looks up."""

    address = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnlyAdmin):
    """Counts, and questions about one person. No row has a page: an answer names none."""

    def get_urls(self) -> list[URLPattern]:
        view, base = self.admin_site.admin_view, "answer/<int:pk>/"
        return [
            path("", view(self.changelist_view), name="newsletter_subscriber_changelist"),
            path("ask/", view(require_POST(self.ask)), name="newsletter_ask"),
            path(base, view(require_safe(self.answer)), name="newsletter_answer"),
            path(f"{base}<slug:wish>/", view(require_POST(self.wish)), name="newsletter_wish"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Counts by edition, status and month. Small numbers are hidden."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request, AskForm())

    def _page(self, request: HttpRequest, form: AskForm, status: int = 200) -> HttpResponse:
        editions = list(Edition.objects.all())
        months = subscribers.by_month(timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The list"),
            "statuses": [one.label for one in SubscriberStatus],
            "by_status": subscribers.by_status(),
            "small": subscribers.SMALL,
            "editions": editions,
            "months": months[::-1],
            "chart": charts.by_month(months, editions),
            "came_back": subscribers.came_back(timezone.now()),
            "intake": subscribers.intake(timezone.now()),
            "form": form if request.user.has_perm(MAY_ASK) else None,
        }
        return render(request, "admin/newsletter/list.html", context, status=status)

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Takes the question in, sealed; a worker looks."""
        if not request.user.has_perm(MAY_ASK):
            raise PermissionDenied
        form = AskForm(request.POST)
        if not form.is_valid():
            return self._page(request, form, 400)
        try:
            inquiry = lookup.ask(form.cleaned_data["address"], request.user, timezone.now())
        except (InvalidAddress, TooManyQuestions, KeyMissing) as error:
            form.add_error("address", str(error))
            return self._page(request, form, 400)
        enqueue(answer_inquiry, inquiry.pk)
        return HttpResponseRedirect(reverse("admin:newsletter_answer", args=[inquiry.pk]))

    def answer(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the worker found, for whoever asked."""
        inquiry = _own(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Is this person on the list?"),
            "inquiry": inquiry,
            "is_waiting": inquiry.is_waiting,
            "may_change": bool(inquiry.sealed_subject) and request.user.has_perm(MAY_CHANGE),
        }
        return render(request, "admin/newsletter/answer.html", context)

    def wish(self, request: HttpRequest, pk: int, wish: str) -> HttpResponse:
        """A worker does it, since it alone knows whom the answer is about."""
        inquiry = _own(request, pk)
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        if wish not in Wish.values:
            raise Http404
        if inquiry.wish_for(Wish(wish)):
            enqueue(answer_inquiry, inquiry.pk)
        return HttpResponseRedirect(reverse("admin:newsletter_answer", args=[inquiry.pk]))


def _own(request: HttpRequest, pk: int) -> Inquiry:
    """A question is nobody else's business, and soon nobody's."""
    if not request.user.has_perm(MAY_ASK):
        raise PermissionDenied
    rows = Inquiry.objects.select_related("edition")
    return get_object_or_404(rows, pk=pk, asked_by=request.user)
