"""About and privacy: texts that stand for years."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin

from articles.admin.languages import language_tabs, mark_language
from articles.fields import body_widget
from articles.models import Page
from articles.models.standing import PageCode
from articles.standing import save_page
from newsroom import headers, languages
from staff.desk import DeskAdmin


@admin.register(Page)
class PageAdmin(DeskAdmin, TranslationAdmin):
    """One row for each page; an empty language is no page in it."""

    list_display = ("__str__", "languages_written")
    fieldsets = [(None, {"fields": ["code"]}), *language_tabs("title", "body")]

    @admin.display(description=_("languages"))
    def languages_written(self, page: Page) -> str:
        return ", ".join(languages.own_name(code) for code in page.written_in) or "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and bool(_codes_left())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Emptied in each language it is gone for readers."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("code",) if obj is not None else ()

    @method_decorator(headers.with_editor)
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(*args, **kwargs)
        return response

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        mark_language(form.base_fields)
        return form

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "code":
            kwargs["choices"] = _codes_left()
        return super().formfield_for_choice_field(db_field, request, **kwargs)

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

    def save_model(self, request: HttpRequest, obj: Page, form: Any, change: bool) -> None:
        save_page(obj, by=request.user, now=timezone.now())

    def view_on_site(self, obj: Page) -> str | None:
        return obj.get_absolute_url() if obj.written_in else None


def _codes_left() -> list[tuple[str, str]]:
    taken = set(Page.objects.values_list("code", flat=True))
    return [(code, str(label)) for code, label in PageCode.choices if code not in taken]
