"""The public subscription forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from core import languages
from newsletter.models import Edition, MailboxWarning, VariantKind
from newsletter.subscribers import addresses
from newsletter.subscribers.addresses import InvalidAddress

CHOOSE_EDITION = {
    "required": _("Please choose an edition."),
    "invalid_choice": _("Please choose an edition."),
}


class EditionForm(forms.Form):
    """An edition and its variant."""

    edition = forms.ModelChoiceField(
        label=_("Edition"),
        queryset=Edition.objects.none(),
        to_field_name="code",
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages=CHOOSE_EDITION,
    )
    discreet = forms.BooleanField(
        label=_("Discreet letter"),
        required=False,
        help_text=_("Text only, under a neutral sender and subject."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.editions = list(Edition.objects.all())
        choice = self.fields["edition"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = Edition.objects.all()
        discreet = [edition.name for edition in self.editions if edition.offers_discreet]
        if not discreet:
            del self.fields["discreet"]
        elif len(discreet) < len(self.editions):
            field = self.fields["discreet"]
            field.help_text = format_lazy(
                "{} {}",
                field.help_text,
                _("In these editions: %(editions)s.") % {"editions": ", ".join(discreet)},
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        edition = cleaned.get("edition")
        if edition is not None and cleaned.get("discreet") and not edition.offers_discreet:
            # Never silently the full variant: it names the newsroom to whoever sees the mailbox.
            self.add_error(
                "discreet",
                __("The edition %(edition)s has no discreet letter.") % {"edition": edition.name},
            )
        return cleaned

    @property
    def variant(self) -> VariantKind:
        return VariantKind.DISCREET if self.cleaned_data.get("discreet") else VariantKind.FULL


class SignUpForm(EditionForm):
    """An address and an edition; the web process cannot tell whether the address is on the list."""

    field_order = ("email", "edition", "discreet")
    email = forms.CharField(
        label=_("Your e-mail address"),
        max_length=addresses.MAX_ADDRESS_LENGTH,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "required": True}),
        error_messages={"required": _("Please write your e-mail address.")},
    )
    website = forms.CharField(
        label=_("Leave this empty"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )
    """A honeypot, hidden from people."""
    anyway = forms.CharField(required=False, widget=forms.HiddenInput)
    """Set by the button below a mailbox warning."""

    def __init__(
        self, *args: Any, language: str, id_prefix: str = "sign-up", **kwargs: Any
    ) -> None:
        """`id_prefix` keeps the ids of two forms on one page apart."""
        kwargs["auto_id"] = f"{id_prefix}-%s"
        super().__init__(*args, **kwargs)
        in_language = [edition for edition in self.editions if language in edition.languages]
        self.fields["edition"].initial = in_language[0].code if in_language else None

    def clean_email(self) -> str:
        try:
            return addresses.normalise(self.cleaned_data["email"])
        except InvalidAddress as error:
            raise forms.ValidationError(str(error)) from None

    @property
    def is_trapped(self) -> bool:
        return bool(self.cleaned_data["website"])

    def warning(self) -> str:
        """The mailbox warning for this address; empty if there is none, or it was shown."""
        if self.cleaned_data["anyway"]:
            return ""
        address = self.cleaned_data["email"]
        warnings = (one for one in MailboxWarning.objects.all() if one.is_about(address))
        return next((one.text for one in warnings if one.text), "")


class PreferencesForm(EditionForm):
    """What a subscriber may change."""

    language = forms.ChoiceField(
        label=_("Language of single mails and pages"), choices=languages.choices
    )
