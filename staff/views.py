"""Account pages that allauth lacks or does not secure enough."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import DeactivateTOTPView
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.generic.edit import FormMixin

from staff import second_factor
from staff.dashboard import panels


@login_required
@require_safe
def enrol(request: HttpRequest) -> HttpResponse:
    """Explains the second factor and offers both kinds."""
    if second_factor.has_second_factor(request.user):
        return redirect("mfa_index")
    return render(request, "staff/enrol.html")


class CodeOrKeyView(AuthenticateView):
    """The second step of the log-in, with the kinds that the user has."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kinds = set(second_factor.factors_of(self.stage.login.user).values_list("type", flat=True))
        return {
            **super().get_context_data(**kwargs),
            "has_app": Authenticator.Type.TOTP in kinds,
            "has_key": Authenticator.Type.WEBAUTHN in kinds,
        }


class KeepLastFactorMixin(FormMixin):
    """Locks the user, so that two concurrent requests cannot remove both last factors."""

    request: HttpRequest

    def factor(self) -> Authenticator:
        raise NotImplementedError

    @transaction.atomic
    def form_valid(self, form: Form) -> HttpResponse:
        User.objects.select_for_update().get(username=self.request.user.get_username())
        if not self.may_remove():
            form.add_error(None, get_adapter().validation_error("cannot_delete_authenticator"))
            return self.form_invalid(form)
        return super().form_valid(form)

    def may_remove(self) -> bool:
        return second_factor.may_remove(self.factor())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, may_remove=self.may_remove())


class RemoveAppView(KeepLastFactorMixin, DeactivateTOTPView):
    """Removes the app if another factor remains."""

    def factor(self) -> Authenticator:
        return self.authenticator


class RemoveKeyView(KeepLastFactorMixin, RemoveWebAuthnView):
    """Removes a key if another factor remains, which allauth does not check."""

    success_url = reverse_lazy("mfa_index")

    def factor(self) -> Authenticator:
        return self.get_object()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # Unfold would link to `object` as to a row in the admin.
        return {**super().get_context_data(**kwargs), "object": None, "key": self.factor().wrap()}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    return {**context, "panels": panels(request, timezone.now())}
