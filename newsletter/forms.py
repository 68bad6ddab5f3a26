"""The sign-up form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from newsletter import addresses
from newsletter.addresses import InvalidAddress
from newsletter.models import Edition


class SignUpForm(forms.Form):
    """An address and an edition; knows nothing of who is on the list."""

    email = forms.CharField(
        label=_("Your e-mail address"),
        max_length=addresses.MOST_CHARACTERS,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "required": True}),
        error_messages={"required": _("Please write your e-mail address.")},
    )
    edition = forms.ModelChoiceField(
        label=_("Edition"),
        queryset=Edition.objects.none(),
        to_field_name="code",
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={
            "required": _("Please choose an edition."),
            "invalid_choice": _("Please choose an edition."),
        },
    )

    def __init__(
        self, *args: Any, language: str, prefix_ids: str = "sign-up", **kwargs: Any
    ) -> None:
        """`prefix_ids` keeps two forms on one page apart."""
        kwargs["auto_id"] = f"{prefix_ids}-%s"
        super().__init__(*args, **kwargs)
        editions = Edition.objects.all()
        choice = self.fields["edition"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = editions
        fitting = [edition for edition in editions if language in edition.languages]
        choice.initial = fitting[0].code if fitting else None

    def clean_email(self) -> str:
        try:
            return addresses.normalise(self.cleaned_data["email"])
        except InvalidAddress as error:
            raise forms.ValidationError(str(error)) from None
