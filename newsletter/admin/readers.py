"""The list in the admin: how many, never who. One row opens only for whoever asked about it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from articles.admin.verbs import Verb, VerbsAdmin
from newsletter import counting, inquiring, managing
from newsletter.addresses import InvalidAddress
from newsletter.admin import charts
from newsletter.inquiring import TooManyQuestions
from newsletter.models import Answer, Edition, Inquiry, Subscriber, SubscriberStatus
from newsletter.tasks import answer_inquiry, enqueue, write_journal
from newsroom.sealing import KeyMissing

MAY_CHANGE, MAY_ASK = "newsletter.change_subscriber", "newsletter.add_inquiry"


def take_off(request: HttpRequest, subscriber: Subscriber) -> str:
    """They asked for it, and have no letter at hand."""
    managing.take_off(subscriber, request.user, timezone.now())
    enqueue(write_journal)
    return __("Taken off the list. The address is erased.")


class AskForm(forms.Form):
    """An address, which a worker looks up."""

    address = forms.CharField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@admin.register(Subscriber)
class SubscriberAdmin(VerbsAdmin):
    """The list's first page has counts alone."""

    fields = readonly_fields = (
        "status",
        "edition",
        "variant",
        "language",
        "signed_up_at",
        "confirmed_at",
        "ended_at",
        "consented_to",
        "wording",
    )
    verbs = (
        Verb(
            "take-off",
            _("Take off the list"),
            take_off,
            MAY_CHANGE,
            lambda subscriber: not subscriber.is_gone,
            variant="danger",
            question=_("As if they had pressed “leave” in a letter."),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        return [
            path("ask/", site.admin_view(require_POST(self.ask)), name="newsletter_ask"),
            path(
                "answer/<int:pk>/",
                site.admin_view(require_safe(self.answer)),
                name="newsletter_answer",
            ),
            path(
                "answer/<int:pk>/forget/",
                site.admin_view(require_POST(self.forget)),
                name="newsletter_forget",
            ),
            path(
                "answer/<int:pk>/lift/",
                site.admin_view(require_POST(self.lift)),
                name="newsletter_lift",
            ),
            *super().get_urls(),
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
        months = counting.by_month(timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("The list"),
            "statuses": [one.label for one in SubscriberStatus],
            "by_status": counting.by_status(),
            "small": counting.SMALL,
            "editions": editions,
            "months": months[::-1],
            "chart": charts.draw(months, editions),
            "came_back": counting.came_back(timezone.now()),
            "intake": counting.intake(timezone.now()),
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
            inquiry = inquiring.ask(form.cleaned_data["address"], request.user, timezone.now())
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
            "is_waiting": inquiry.answer == Answer.WAITING,
            "may_change": request.user.has_perm(MAY_CHANGE),
        }
        return render(request, "admin/newsletter/answer.html", context)

    def lift(self, request: HttpRequest, pk: int) -> HttpResponse:
        """They may come back by themselves."""
        inquiry = _own(request, pk)
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        if managing.lift_suppression(inquiry, request.user, timezone.now()):
            enqueue(write_journal)
            messages.success(request, __("They can sign up again, and will be asked to confirm."))
        return HttpResponseRedirect(reverse("admin:newsletter_subscriber_changelist"))

    def forget(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Everything about them goes."""
        inquiry = _own(request, pk)
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        if inquiry.subscriber is not None:
            managing.forget(inquiry.subscriber, request.user, timezone.now())
            enqueue(write_journal)
            messages.success(request, __("Nothing about this person is left on the list."))
        return HttpResponseRedirect(reverse("admin:newsletter_subscriber_changelist"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _own(request: HttpRequest, pk: int) -> Inquiry:
    """A question is nobody else's business, and soon nobody's."""
    if not request.user.has_perm(MAY_ASK):
        raise PermissionDenied
    rows = Inquiry.objects.select_related("subscriber", "subscriber__edition", "suppression")
    return get_object_or_404(rows, pk=pk, asked_by=request.user)
