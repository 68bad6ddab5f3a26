"""The reader's form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from articles.models import Topic
from articles.searching import Query, years

LONGEST_QUERY = 200
"""Characters. Whoever pastes more wants something else than a search for words."""


class SearchForm(forms.Form):
    """Words to look for, and what narrows the search down."""

    q = forms.CharField(
        label=_("Words"),
        required=False,
        max_length=LONGEST_QUERY,
        error_messages={
            "max_length": _("This is too long: %(show_value)d characters of %(limit_value)d.")
        },
        # The browser is asked to neither remember the words nor send them to a spelling checker.
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "enterkeyhint": "search",
                # What is too long is answered for: a browser cuts off a paste and says nothing.
                "maxlength": None,
            }
        ),
    )
    topic: forms.ModelChoiceField[Topic] = forms.ModelChoiceField(
        label=_("Topic"),
        queryset=Topic.objects.none(),
        to_field_name="code",
        required=False,
        empty_label=_("All topics"),
    )
    year = forms.TypedChoiceField(
        label=_("Year"), required=False, coerce=int, empty_value=None, choices=[]
    )

    def __init__(self, *args: Any, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.language = language
        topic, year = self.fields["topic"], self.fields["year"]
        assert isinstance(topic, forms.ModelChoiceField)
        assert isinstance(year, forms.TypedChoiceField)
        topic.queryset = Topic.objects.all()
        year.choices = [("", _("All years")), *((each, each) for each in years(language))]

    def query(self) -> Query | None:
        """What is asked for; none where the words were left out. Only of a valid form."""
        asked = self.cleaned_data
        if not asked["q"]:
            return None
        return Query(asked["q"], self.language, asked["topic"], asked["year"])
