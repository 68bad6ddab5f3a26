"""Object actions: buttons above a row's form, each a POST of its own."""

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
from staff.base_admin import BaseModelAdmin

ActionHandler = Callable[[HttpRequest, Any], str]
"""Runs the action and returns the success message. Refuses by InvalidTransition or `refuses`."""


@dataclass(frozen=True)
class ConfirmationPage:
    """What an action shows before it runs: a template and its context."""

    template: str
    context: dict[str, Any]


@dataclass(frozen=True)
class ObjectAction:
    """One button."""

    name: str
    """Its segment of the URL."""
    label: Any
    handler: ActionHandler
    permission: str
    is_available: Callable[[Any], bool]
    """For this row, in its present state."""
    variant: str = "default"
    """Unfold's: default, primary or danger."""
    question: Any = ""
    """Asked before; empty where pressing it by mistake costs nothing."""
    group: Any = ""
    """Actions of one group share a heading and the first one's question."""
    page: Callable[[HttpRequest, Any], ConfirmationPage] | None = None
    """Builds the confirmation page that the button leads to. May refuse, as `handler`."""
    refuses: tuple[type[Exception], ...] = ()
    """Exceptions beside InvalidTransition that become an error message."""

    @property
    def has_confirmation_page(self) -> bool:
        """For templates: `page` itself would be called there."""
        return self.page is not None


class ObjectActionsAdmin(BaseModelAdmin):
    """Object actions above a row's form."""

    object_actions: tuple[ObjectAction, ...] = ()
    change_form_outer_before_template = "admin/articles/object_actions.html"
    # Each action is a form of its own: submitting it loses what was typed in the main form.
    warn_unsaved_form = True

    def get_urls(self) -> list[URLPattern]:
        opts = self.model._meta
        site = self.admin_site
        action = path(
            "<path:object_id>/do/<slug:name>/",
            site.admin_view(self.object_action_view),
            name=f"{opts.app_label}_{opts.model_name}_do",
        )
        return [action, *super().get_urls()]

    def object_action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """POST runs the action and goes back to the row; GET shows its confirmation page."""
        action = next((one for one in self.object_actions if one.name == name), None)
        if action is None or not _may(request, action):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        refusals: tuple[type[Exception], ...] = (InvalidTransition, *action.refuses)
        try:
            if request.method in {"GET", "HEAD"} and action.page is not None:
                return self._confirmation_page(request, row, action, action.page(request, row))
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            messages.success(request, action.handler(request, row))
        except refusals as refusal:
            messages.error(request, str(refusal))
        opts = self.opts
        return HttpResponseRedirect(
            reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
        )

    def _confirmation_page(
        self, request: HttpRequest, row: Any, action: ObjectAction, page: ConfirmationPage
    ) -> HttpResponse:
        opts = self.model._meta
        context = {
            **self.admin_site.each_context(request),
            "opts": opts,
            "original": row,
            "title": action.label,
            "action": action,
            "back": reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk]),
            **page.context,
        }
        return render(request, page.template, context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row = kwargs.get("obj")
        opts = self.model._meta
        context["object_actions"] = [
            (
                action,
                reverse(f"admin:{opts.app_label}_{opts.model_name}_do", args=[row.pk, action.name]),
            )
            for action in self.object_actions
            if row is not None and action.is_available(row) and _may(request, action)
        ]
        context.update(self.get_extra_context(row))
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        """Context of the templates around the form."""
        return {}


def _may(request: HttpRequest, action: ObjectAction) -> bool:
    return bool(request.user.has_perm(action.permission))
