"""allauth's forms with Unfold's widgets and translated labels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from allauth.account import forms as account
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES

Labels = dict[str, str | Promise]


class AdminStyledForm(forms.Form):
    """Sets labels, Unfold's classes and the autofocus."""

    labels: Labels = {}
    autofocus_field = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = self.labels.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
            if not field.widget.is_hidden:
                field.widget.attrs["class"] = " ".join(INPUT_CLASSES)
            if name == self.autofocus_field:
                field.widget.attrs["autofocus"] = True


class LoginForm(AdminStyledForm, account.LoginForm):
    """User name and password."""

    labels: Labels = {"login": _("User name"), "password": _("Password")}
    autofocus_field = "login"


class ReauthenticatePasswordForm(AdminStyledForm, account.ReauthenticateForm):
    """Reauthentication before a change of password or second factor."""

    labels: Labels = {"password": _("Password")}
    autofocus_field = "password"


class ChangePasswordForm(AdminStyledForm, account.ChangePasswordForm):
    """The current password, and the new one twice."""

    labels: Labels = {
        "oldpassword": _("Present password"),
        "password1": _("New password"),
        "password2": _("New password once more"),
    }
    autofocus_field = "oldpassword"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.has_error("password2"):
            # Django's message is not translated into every language.
            self.errors["password2"].clear()
            self.add_error("password2", _("The two new passwords are not the same."))
        return cleaned


class CodeForm(AdminStyledForm, mfa.AuthenticateForm):
    """A TOTP code or a recovery code."""

    labels: Labels = {"code": _("Code")}
    autofocus_field = "code"


class ReauthenticateCodeForm(AdminStyledForm, mfa.ReauthenticateForm):
    """For reauthentication."""

    labels: Labels = {"code": _("Code")}
    autofocus_field = "code"


class ActivateAppForm(AdminStyledForm, totp.ActivateTOTPForm):
    """The first code, which activates the app."""

    labels: Labels = {"code": _("The code that the app shows now")}


class AddSecurityKeyForm(AdminStyledForm, webauthn.AddWebAuthnForm):
    """A name for the new key."""

    labels: Labels = {"name": _("What you call this key")}

    def clean(self) -> dict[str, Any]:
        with reject_malformed_credentials():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class SecurityKeyForm(AdminStyledForm, webauthn.AuthenticateWebAuthnForm):
    """The credential, which webauthn.js fills in."""

    def clean_credential(self) -> Authenticator:
        with reject_malformed_credentials():
            return super().clean_credential()


class ReauthenticateSecurityKeyForm(AdminStyledForm, webauthn.ReauthenticateWebAuthnForm):
    """For reauthentication."""

    def clean_credential(self) -> Authenticator:
        with reject_malformed_credentials():
            return super().clean_credential()


@contextlib.contextmanager
def reject_malformed_credentials() -> Iterator[None]:
    """fido2 raises various errors for JSON that is no credential."""
    try:
        yield
    except ValidationError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise get_adapter().validation_error("incorrect_code") from error
