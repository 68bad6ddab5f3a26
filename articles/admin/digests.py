"""The digest's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, prefetch_related_objects
from django.forms import Script
from django.http import HttpRequest
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDateWidget

from articles.admin.languages import language_tabs, set_lang_attributes
from articles.admin.object_actions import ObjectAction, ObjectActionsAdmin
from articles.editorial.coverage import coverage_matrix, save_gap_policies
from articles.editorial.digest_builder import DigestApproved, EmptyWeek, build_digest
from articles.models import Article, Digest, DigestEntry, Topic
from articles.models.digests import GapPolicy
from core import languages
from core.http import MAX_TEXT_FORM_BYTES


def add_published_articles(_request: HttpRequest, digest: Digest) -> str:
    """Appends articles published since."""
    before = digest.entries.count()
    added = build_digest(digest.week).entries.count() - before
    return __("Articles added: %(count)s.") % {"count": added}


def _chosen_policies(request: HttpRequest) -> list[tuple[int, str, str]]:
    """The matrix's selects; only gaps have one."""
    topics = set(Topic.objects.values_list("pk", flat=True))
    return [
        (topic, code, request.POST[name])
        for topic in topics
        for code in languages.codes()
        if (name := f"gap-{topic}-{code}") in request.POST
    ]


class NewDigestForm(forms.ModelForm):
    """Only a week: its articles are added on saving."""

    def clean_week(self) -> Any:
        week = self.cleaned_data["week"]
        if not Article.objects.public().of_week(week).exists():
            raise forms.ValidationError(
                _("No article of that week is published. Publish one first.")
            )
        return week


class EntryInline(TabularInline):
    """The digest's articles, sortable by dragging."""

    model = DigestEntry
    fields = ("article", "position")
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True
    extra = 0

    # Entries have the digest's permissions.
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("articles.view_digest"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        frozen = isinstance(obj, Digest) and obj.is_approved
        return not frozen and bool(request.user.has_perm("articles.change_digest"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        digest_id = (request.resolver_match.kwargs if request.resolver_match else {}).get(
            "object_id"
        )
        digest = Digest.objects.filter(pk=digest_id).first() if digest_id else None
        if db_field.name == "article" and digest is not None:
            of_week = Article.objects.public().of_week(digest.week)
            # An article withdrawn since stays a valid choice, so that the form can be saved;
            # page and letter leave it out.
            chosen = Q(pk__in=of_week) | Q(pk__in=digest.entries.values("article"))
            # One query for all rows of the formset.
            known = list(Article.objects.filter(chosen).values_list("pk", flat=True))
            kwargs["queryset"] = Article.objects.filter(pk__in=known)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Digest)
class DigestAdmin(ObjectActionsAdmin, TranslationAdmin):
    """An approved digest is read-only until it is reopened."""

    max_body_bytes = MAX_TEXT_FORM_BYTES

    list_display = ("__str__", "status", "approved_at")
    list_filter = ("status",)
    inlines = (EntryInline,)
    fieldsets = language_tabs("introduction")
    change_form_after_template = "admin/articles/matrix_in_form.html"

    class Media:
        js = (Script("ordering.js", type="module"),)

    object_actions: tuple[ObjectAction, ...] = (
        ObjectAction(
            "gather",
            _("Add what was published meanwhile"),
            add_published_articles,
            "articles.change_digest",
            lambda digest: not digest.is_approved,
            refuses=(EmptyWeek, DigestApproved),
        ),
    )

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        """The coverage matrix; its selects are part of the form."""
        if row is None:
            return {}
        prefetch_related_objects([row], "gaps")
        return {
            "matrix": coverage_matrix(row.week, row),
            "policies": GapPolicy.choices,
            "matrix_languages": [(code, languages.native_name(code)) for code in languages.codes()],
            "may_choose": not row.is_approved,
        }

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["week"]})]
        return super().get_fieldsets(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewDigestForm
        form = super().get_form(request, obj, **kwargs)
        set_lang_attributes(form.base_fields)
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "week":
            return db_field.formfield(widget=UnfoldAdminDateWidget())
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Digest, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            save_gap_policies(obj, _chosen_policies(request))
            return
        digest = build_digest(obj.week)
        obj.pk, obj._state.adding = digest.pk, False
        obj.refresh_from_db()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        frozen = obj is not None and obj.is_approved
        return not frozen and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        frozen = obj is not None and obj.is_approved
        return not frozen and super().has_delete_permission(request, obj)
