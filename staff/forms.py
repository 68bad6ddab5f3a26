"""The forms of the doors: allauth's, with our words and in the admin's look."""

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

AS_ON_THE_APP = {"inputmode": "numeric", "maxlength": "16", "spellcheck": "false"}
Words = dict[str, str | Promise]


class InTheAdminsLook(forms.Form):
    """Gives the fields our labels, and Unfold's classes to what is seen of them."""

    labels: Words = {}
    first = ""
    """The field that the cursor stands in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = self.labels.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
            if not field.widget.is_hidden:
                field.widget.attrs["class"] = " ".join(INPUT_CLASSES)
            if name == self.first:
                field.widget.attrs["autofocus"] = True


class LoginForm(InTheAdminsLook, account.LoginForm):
    """User name and password."""

    labels: Words = {"login": _("User name"), "password": _("Password")}
    first = "login"


class PasswordAgainForm(InTheAdminsLook, account.ReauthenticateForm):
    """Before what changes the doors themselves."""

    labels: Words = {"password": _("Password")}
    first = "password"


class ChangePasswordForm(InTheAdminsLook, account.ChangePasswordForm):
    """The present one and the new one, twice."""

    labels: Words = {
        "oldpassword": _("Present password"),
        "password1": _("New password"),
        "password2": _("New password once more"),
    }
    first = "oldpassword"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.has_error("password2"):
            # In our words, which are in three languages.
            self.errors["password2"].clear()
            self.add_error("password2", _("The two new passwords are not the same."))
        return cleaned


class CodeForm(InTheAdminsLook, mfa.AuthenticateForm):
    """A code of the app, or a recovery code."""

    labels: Words = {"code": _("Code")}
    first = "code"


class CodeAgainForm(InTheAdminsLook, mfa.ReauthenticateForm):
    """The same, of somebody who is in already."""

    labels: Words = {"code": _("Code")}
    first = "code"


class ActivateAppForm(InTheAdminsLook, totp.ActivateTOTPForm):
    """The first code that the app shows."""

    labels: Words = {"code": _("The code that the app shows now")}


class AddKeyForm(InTheAdminsLook, webauthn.AddWebAuthnForm):
    """A name for the key, so that one knows later which to remove."""

    labels: Words = {"name": _("What you call this key")}

    def clean(self) -> dict[str, Any]:
        with refusing_nonsense():
            cleaned: dict[str, Any] = super().clean()
        return cleaned


class KeyForm(InTheAdminsLook, webauthn.AuthenticateWebAuthnForm):
    """What a key answers, passed on by a script."""

    def clean_credential(self) -> Authenticator:
        with refusing_nonsense():
            return super().clean_credential()


class KeyAgainForm(InTheAdminsLook, webauthn.ReauthenticateWebAuthnForm):
    """The same, of somebody who is in already."""

    def clean_credential(self) -> Authenticator:
        with refusing_nonsense():
            return super().clean_credential()


@contextlib.contextmanager
def refusing_nonsense() -> Iterator[None]:
    """fido2 stumbles over JSON that is no key's answer in as many ways as there is JSON."""
    try:
        yield
    except ValidationError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise get_adapter().validation_error("incorrect_code") from error
