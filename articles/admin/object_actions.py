"""Buttons that do something to one row: each is a form that POSTs, since a GET changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from core.states import InvalidTransition
from staff.base_admin import DeskAdmin

Act = Callable[[HttpRequest, Any], str]
"""Does it and returns what to tell; raises InvalidTransition or one of the verb's own to say no."""


@dataclass(frozen=True)
class Page:
    """What a verb shows before it acts: a template that asks, and what it needs."""

    template: str
    context: dict[str, Any]


@dataclass(frozen=True)
class Verb:
    """One button: its name in the address, its label, who may press it and when it shows."""

    name: str
    label: Any
    act: Act
    permission: str
    shows: Callable[[Any], bool]
    variant: str = "default"
    """How Unfold draws it: default, primary or danger."""
    question: Any = ""
    """What to ask before; empty where pressing it by mistake costs nothing."""
    group: Any = ""
    """Verbs of one group stand together behind one word, and share their question."""
    page: Callable[[HttpRequest, Any], Page] | None = None
    """The button leads to a page that says what would happen, and asks. May refuse, as `act`."""
    refuses: tuple[type[Exception], ...] = ()
    """What else it may say no by, beside InvalidTransition."""

    @property
    def asks_first(self) -> bool:
        """For templates, which would call `page`."""
        return self.page is not None


class VerbsAdmin(DeskAdmin):
    """A row's verbs above its form."""

    verbs: tuple[Verb, ...] = ()
    change_form_outer_before_template = "admin/articles/verbs.html"
    # The verbs are forms of their own: pressing one would throw away what was just typed.
    warn_unsaved_form = True

    def get_urls(self) -> list[URLPattern]:
        opts = self.model._meta
        site = self.admin_site
        acting = path(
            "<path:object_id>/do/<slug:verb>/",
            site.admin_view(self.do),
            name=f"{opts.app_label}_{opts.model_name}_do",
        )
        return [acting, *super().get_urls()]

    def do(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Does one verb and goes back to the row; a GET only says what it would do."""
        chosen = next((one for one in self.verbs if one.name == verb), None)
        if chosen is None or not _may(request, chosen):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        refusals: tuple[type[Exception], ...] = (InvalidTransition, *chosen.refuses)
        try:
            if request.method in {"GET", "HEAD"} and chosen.page is not None:
                return self._ask_first(request, row, chosen, chosen.page(request, row))
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            messages.success(request, chosen.act(request, row))
        except refusals as refusal:
            messages.error(request, str(refusal))
        opts = self.opts
        return HttpResponseRedirect(
            reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
        )

    def _ask_first(self, request: HttpRequest, row: Any, verb: Verb, page: Page) -> HttpResponse:
        opts = self.model._meta
        context = {
            **self.admin_site.each_context(request),
            "opts": opts,
            "original": row,
            "title": verb.label,
            "verb": verb,
            "back": reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk]),
            **page.context,
        }
        return render(request, page.template, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        opts = self.model._meta
        context["verbs"] = [
            (
                verb,
                reverse(f"admin:{opts.app_label}_{opts.model_name}_do", args=[row.pk, verb.name]),
            )
            for verb in self.verbs
            if row is not None and verb.shows(row) and _may(request, verb)
        ]
        context.update(self.facts(row))
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def facts(self, row: Any) -> dict[str, Any]:
        """What the page says of the row beside its form."""
        return {}


def _may(request: HttpRequest, verb: Verb) -> bool:
    return bool(request.user.has_perm(verb.permission))
