"""One tab for each language: one click switches the whole row, and tabs count their errors."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin

from articles.admin.editor_policy import with_editor
from articles.fields import body_widget
from core import languages
from core.http import LARGEST_TEXTS
from staff.base_admin import DeskAdmin

Fieldset = tuple[Any, dict[str, Any]]
LABELS = {"title": _("Title"), "lead": _("Lead"), "body": _("Body")}


def language_tabs(*fields: str) -> list[Fieldset]:
    """A fieldset for each language with these fields in it."""
    return [
        (
            languages.own_name(code),
            {"classes": ["tab"], "fields": [f"{field}_{code}" for field in fields]},
        )
        for code in languages.codes()
    ]


def mark_language(form_fields: dict[str, Any]) -> None:
    """Tells the browser each field's own language, for spelling and hyphens."""
    for name, field in form_fields.items():
        _, _, code = name.rpartition("_")
        if languages.is_language(code):
            field.widget.attrs["lang"] = code
            field.widget.attrs["spellcheck"] = "true"


class TextsAdmin(DeskAdmin, TranslationAdmin):
    """Of whole texts, each language's written in the editor."""

    largest_form = LARGEST_TEXTS

    @method_decorator(with_editor)
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(*args, **kwargs)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        mark_language(form.base_fields)
        for name, field in form.base_fields.items():
            # The tab names the language; the label need not.
            field.label = LABELS.get(name.rpartition("_")[0], field.label)
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name.startswith("body_"):
            field.widget = body_widget(getattr(db_field, "language", ""))
        return field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        # Not urlencoded, which makes six bytes of each Cyrillic letter.
        context["has_file_field"] = True
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response
