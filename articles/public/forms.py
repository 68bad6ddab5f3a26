"""The search form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

from articles.models import Topic
from articles.search.encrypted_query import SearchInput
from articles.search.query import SearchQuery, indexed_years

MAX_QUERY_LENGTH = 200
"""Characters."""


class SearchForm(forms.Form):
    """Words, and filters by topic and year."""

    q = forms.CharField(
        label=_("Words"),
        required=False,
        # Not max_length: a browser would truncate a pasted text silently.
        validators=[
            MaxLengthValidator(
                MAX_QUERY_LENGTH,
                _("This is too long: %(show_value)d characters of %(limit_value)d."),
            )
        ],
        # The browser must neither store the words nor send them to a spelling checker.
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "enterkeyhint": "search",
            }
        ),
    )
    # A ChoiceField: an invalid code is rejected without a query.
    topic = forms.ChoiceField(label=_("Topic"), required=False)
    year = forms.TypedChoiceField(label=_("Year"), required=False, coerce=int, empty_value=None)

    def __init__(self, data: Any = None, *, language: str) -> None:
        super().__init__(data, label_suffix="")
        self.language = language
        self.topics = {topic.code: topic for topic in Topic.objects.all()}
        named = [(code, str(topic)) for code, topic in self.topics.items()]
        of_years = [(str(year), str(year)) for year in indexed_years(language)]
        self._set_choices("topic", [("", _("All topics")), *named])
        self._set_choices("year", [("", _("All years")), *of_years])

    def _set_choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def search_input(self) -> SearchInput:
        """The fields as typed. Only of a valid form."""
        return SearchInput(
            self.cleaned_data["q"], self.data.get("topic", ""), self.data.get("year", "")
        )

    def search_query(self) -> SearchQuery | None:
        """None without words. Only of a valid form."""
        data = self.cleaned_data
        if not data["q"]:
            return None
        return SearchQuery(data["q"], self.language, self.topics.get(data["topic"]), data["year"])
