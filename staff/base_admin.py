"""Base classes of the project's ModelAdmins."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import override
from unfold.admin import ModelAdmin

from core import languages
from core.http import MAX_FORM_BYTES

Changes = list[dict[str, dict[str, Any]]]


class BaseModelAdmin(ModelAdmin):
    """Unfold's ModelAdmin with translated history and deletion pages."""

    max_body_bytes = MAX_FORM_BYTES
    """Of a request to a page of one row; see RequestSizeLimitMiddleware."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """None for an id in another spelling, such as " 7" or "٧", or out of range."""
        if from_field is None and not _is_canonical(object_id, self.opts.pk):
            return None
        return super().get_object(request, object_id, from_field)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Changes:
        """Stores the field's untranslated verbose name, and the language as a related object.

        Django stores the form's label, such as "Title [be]", which no catalogue can translate.
        """
        changes: Changes = super().construct_change_message(request, form, formsets, add)
        with override(None):
            if form.changed_data and not add:
                changes[:1] = self._own_changes(form)
            names = _names_by_label([formset.model for formset in formsets or ()])
        for entry in changes:
            for change in entry.values():
                if "fields" in change:
                    change["fields"] = [names.get(label, label) for label in change["fields"]]
        return changes

    def _own_changes(self, form: Any) -> Changes:
        by_language: dict[str, list[str]] = {}
        for name in form.changed_data:
            code, label = "", name
            try:
                field = self.model._meta.get_field(name)
            except FieldDoesNotExist:
                pass
            else:
                code = getattr(field, "language", "")
                label = str((field.translated_field if code else field).verbose_name)
            by_language.setdefault(code, []).append(label)
        return [
            {"changed": {"fields": labels, **_language(code)}}
            for code, labels in by_language.items()
        ]

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Leaves out rows of automatic many-to-many tables."""
        rows, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        between = [model._meta for model in apps.get_models(True) if model._meta.auto_created]
        names = tuple(f"{capfirst(meta.verbose_name)}: " for meta in between)
        plurals = {str(meta.verbose_name_plural) for meta in between}
        counts = {name: count for name, count in counts.items() if str(name) not in plurals}
        return _without(rows, names), counts, forbidden, protected


class ReadOnlyAdmin(BaseModelAdmin):
    """View only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_canonical(object_id: str, pk: Any) -> bool:
    try:
        return str(pk.to_python(object_id)) == object_id
    except ValidationError:
        return False


def _language(code: str) -> dict[str, str]:
    return {"name": "language", "object": languages.native_name(code)} if code else {}


def _names_by_label(models: list[Any]) -> dict[str, str]:
    names = [
        str(field.verbose_name)
        for model in models
        for field in model._meta.get_fields()
        if hasattr(field, "verbose_name")
    ]
    return {capfirst(name): name for name in names}


def _without(rows: list[Any], beginnings: tuple[str, ...]) -> list[Any]:
    return [
        _without(row, beginnings) if isinstance(row, list) else row
        for row in rows
        if isinstance(row, list) or not str(row).startswith(beginnings)
    ]
