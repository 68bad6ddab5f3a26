"""Language tabs, and the base of admins whose texts are written in the editor."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin

from articles.admin.editor_policy import with_editor
from articles.fields import body_widget
from core import languages
from core.http import MAX_TEXT_FORM_BYTES
from staff.base_admin import BaseModelAdmin

Fieldset = tuple[Any, dict[str, Any]]
LABELS = {"title": _("Title"), "lead": _("Lead"), "body": _("Body")}


def language_tabs(*fields: str) -> list[Fieldset]:
    """One tab fieldset for each language with these fields."""
    return [
        (
            languages.native_name(code),
            {"classes": ["tab"], "fields": [f"{field}_{code}" for field in fields]},
        )
        for code in languages.codes()
    ]


def set_lang_attributes(form_fields: dict[str, Any]) -> None:
    """Sets each field's `lang`, for spell checking and hyphenation."""
    for name, field in form_fields.items():
        _, _, code = name.rpartition("_")
        if languages.is_language(code):
            field.widget.attrs["lang"] = code
            field.widget.attrs["spellcheck"] = "true"


class TranslatedTextsAdmin(BaseModelAdmin, TranslationAdmin):
    """Base of admins with a rich text in each language."""

    max_body_bytes = MAX_TEXT_FORM_BYTES

    @method_decorator(with_editor)
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(*args, **kwargs)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        set_lang_attributes(form.base_fields)
        for name, field in form.base_fields.items():
            # The tab already names the language.
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
        # multipart/form-data: urlencoding takes six bytes for each Cyrillic letter.
        context["has_file_field"] = True
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response
