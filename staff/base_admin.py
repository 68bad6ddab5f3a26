"""What every page of the desk has in common: it speaks the language of whoever reads it."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import override
from unfold.admin import ModelAdmin

from core import languages
from core.http import LARGEST_FORM

Changes = list[dict[str, dict[str, Any]]]


class DeskAdmin(ModelAdmin):
    """Unfold's ModelAdmin, whose history and deletions can be read in every language."""

    largest_form = LARGEST_FORM
    """Bytes that the pages of a row may be sent; see newsroom.middleware.RequestSizeLimit."""

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row of an id as our own addresses write it.

        What Python or a database would also take for a number, such as " 7", "٧" or one that
        no column holds, is the id of nothing.
        """
        if from_field is None and not _is_written(object_id, self.opts.pk):
            return None
        return super().get_object(request, object_id, from_field)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Changes:
        """What changed, in words that the catalogues know: they are translated when shown.

        Django notes a field's label, which begins with a capital and, for a translated field,
        ends in "[be]"; no catalogue has that. So the name itself is noted, and the language
        as Django notes a related row.
        """
        noted: Changes = super().construct_change_message(request, form, formsets, add)
        with override(None):
            if form.changed_data and not add:
                noted[:1] = self._own_changes(form)
            names = _names_by_label([formset.model for formset in formsets or ()])
        for entry in noted:
            for change in entry.values():
                if "fields" in change:
                    change["fields"] = [names.get(label, label) for label in change["fields"]]
        return noted

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
        """Without the rows that only tie two others together: they have no name for people."""
        rows, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        between = [model._meta for model in apps.get_models(True) if model._meta.auto_created]
        names = tuple(f"{capfirst(meta.verbose_name)}: " for meta in between)
        plurals = {str(meta.verbose_name_plural) for meta in between}
        counts = {name: count for name, count in counts.items() if str(name) not in plurals}
        return _without(rows, names), counts, forbidden, protected


class ReadOnlyAdmin(DeskAdmin):
    """Of rows that nobody types: they come, change and go by what is done."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _is_written(object_id: str, pk: Any) -> bool:
    try:
        return str(pk.to_python(object_id)) == object_id
    except ValidationError:
        return False


def _language(code: str) -> dict[str, str]:
    return {"name": "language", "object": languages.own_name(code)} if code else {}


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
