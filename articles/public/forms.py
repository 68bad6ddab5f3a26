"""The reader's form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

from articles.models import Topic
from articles.search.encrypted_query import Asked
from articles.search.query import Query, years

LONGEST_QUERY = 200
"""Characters. Whoever pastes more wants something else than a search for words."""


class SearchForm(forms.Form):
    """Words to look for, and what narrows the search down."""

    q = forms.CharField(
        label=_("Words"),
        required=False,
        # A validator: with max_length a browser cuts off what is pasted, and says nothing.
        validators=[
            MaxLengthValidator(
                LONGEST_QUERY,
                _("This is too long: %(show_value)d characters of %(limit_value)d."),
            )
        ],
        # The browser is asked to neither remember the words nor send them to a spelling checker.
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
    # By their codes: what a stranger made up is compared, and asks no database.
    topic = forms.ChoiceField(label=_("Topic"), required=False)
    year = forms.TypedChoiceField(label=_("Year"), required=False, coerce=int, empty_value=None)

    def __init__(self, data: Any = None, *, language: str) -> None:
        super().__init__(data, label_suffix="")
        self.language = language
        self.topics = {topic.code: topic for topic in Topic.objects.all()}
        named = [(code, str(topic)) for code, topic in self.topics.items()]
        of_years = [(str(year), str(year)) for year in years(language)]
        self._offer("topic", [("", _("All topics")), *named])
        self._offer("year", [("", _("All years")), *of_years])

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def asked(self) -> Asked:
        """What was typed and chosen, to be asked again. Only of a valid form."""
        return Asked(self.cleaned_data["q"], self.data.get("topic", ""), self.data.get("year", ""))

    def query(self) -> Query | None:
        """What is asked for; none where the words were left out. Only of a valid form."""
        asked = self.cleaned_data
        if not asked["q"]:
            return None
        return Query(asked["q"], self.language, self.topics.get(asked["topic"]), asked["year"])
