"""The week's digest: gathered, reordered, introduced."""

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

from articles.admin.languages import language_tabs, mark_language
from articles.admin.object_actions import Verb, VerbsAdmin
from articles.editorial.coverage import choose_policies, matrix
from articles.editorial.digest_builder import DigestApproved, EmptyWeek, gather
from articles.models import Article, Digest, DigestEntry, Topic
from articles.models.digests import GapPolicy
from core import languages
from core.http import LARGEST_TEXTS


def gather_again(_request: HttpRequest, digest: Digest) -> str:
    """What came out since it was gathered."""
    before = digest.entries.count()
    added = gather(digest.week).entries.count() - before
    return __("Articles added: %(count)s.") % {"count": added}


def _chosen_policies(request: HttpRequest) -> list[tuple[int, str, str]]:
    """What the matrix's selects say; only gaps have one."""
    topics = set(Topic.objects.values_list("pk", flat=True))
    return [
        (topic, code, request.POST[name])
        for topic in topics
        for code in languages.codes()
        if (name := f"gap-{topic}-{code}") in request.POST
    ]


class NewDigestForm(forms.ModelForm):
    """Only a week: the articles come by themselves."""

    def clean_week(self) -> Any:
        week = self.cleaned_data["week"]
        if not Article.objects.public().of_week(week).exists():
            raise forms.ValidationError(
                _("No article of that week is published. Publish one first.")
            )
        return week


class EntryInline(TabularInline):
    """In the order of the letter; drag to change it."""

    model = DigestEntry
    fields = ("article", "position")
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True
    extra = 0

    # A digest's articles are part of it: whoever may change the one may change the others.
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
            # One that was withdrawn meanwhile stays a valid choice, or nothing could be saved
            # before it was removed; the digest's page and letter leave it out.
            chosen = Q(pk__in=of_week) | Q(pk__in=digest.entries.values("article"))
            # Asked once: each row of the form has the same choices.
            known = list(Article.objects.filter(chosen).values_list("pk", flat=True))
            kwargs["queryset"] = Article.objects.filter(pk__in=known)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Digest)
class DigestAdmin(VerbsAdmin, TranslationAdmin):
    """An approved one is frozen; it has to be opened again before it is changed."""

    largest_form = LARGEST_TEXTS

    list_display = ("__str__", "status", "approved_at")
    list_filter = ("status",)
    inlines = (EntryInline,)
    fieldsets = language_tabs("introduction")
    change_form_after_template = "admin/articles/matrix_in_form.html"

    class Media:
        js = (Script("ordering.js", type="module"),)

    verbs: tuple[Verb, ...] = (
        Verb(
            "gather",
            _("Add what was published meanwhile"),
            gather_again,
            "articles.change_digest",
            lambda digest: not digest.is_approved,
            refuses=(EmptyWeek, DigestApproved),
        ),
    )

    def facts(self, row: Any) -> dict[str, Any]:
        """The week's matrix, in the form, so that its policies are saved with it."""
        if row is None:
            return {}
        # Asked once, for the matrix and for whoever shows what comes of it.
        prefetch_related_objects([row], "gaps")
        return {
            "matrix": matrix(row.week, row),
            "policies": GapPolicy.choices,
            "matrix_languages": [(code, languages.own_name(code)) for code in languages.codes()],
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
        mark_language(form.base_fields)
        return form

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "week":
            return db_field.formfield(widget=UnfoldAdminDateWidget())
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Digest, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            choose_policies(obj, _chosen_policies(request))
            return
        gathered = gather(obj.week)
        obj.pk, obj._state.adding = gathered.pk, False
        obj.refresh_from_db()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        frozen = obj is not None and obj.is_approved
        return not frozen and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        frozen = obj is not None and obj.is_approved
        return not frozen and super().has_delete_permission(request, obj)
